"""What a job process is asked to do."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from filed.agents import Replace as AgentReplace
from filed.fileset import FileSet
from filed.job.description import AgentLine, AgentSetup, BackupJob, Level, Replace, RestoreJob


def test_a_description_cannot_be_changed_on_its_way() -> None:
    job = BackupJob(Path("/v"), "J", "c", Level.FULL, FileSet(), AgentSetup())
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.name = "other"  # type: ignore[misc]


def test_without_a_word_it_is_the_file_systems_agent_and_ten_minutes() -> None:
    setup = AgentSetup()
    assert (setup.lines, setup.timeout_s) == ((AgentLine("filesystem"),), 600)
    assert setup.directories == ()
    assert setup.digests == ()


def test_each_way_to_replace_is_one_that_agents_know() -> None:
    assert {way.name for way in Replace} == {way.name for way in AgentReplace}
    assert RestoreJob(Path("/v"), 1, Path("/r"), AgentSetup()).replace is Replace.ALWAYS
