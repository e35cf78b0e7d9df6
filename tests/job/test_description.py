"""What a job process is asked to do."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filed.agents import Replace as AgentReplace
from filed.fileset import FileSet
from filed.job.description import (
    AgentLine,
    AgentSetup,
    BackupJob,
    JobDescription,
    Level,
    Places,
    Replace,
    RestoreJob,
    StorageDaemon,
)
from filed.process.codec import decode, encode

st.register_type_strategy(float, st.floats(allow_nan=False))
st.register_type_strategy(str, st.text(st.characters(codec=None), max_size=9))
st.register_type_strategy(
    Path, st.binary(min_size=1, max_size=9).filter(lambda raw: 0 not in raw).map(lambda raw: Path(os.fsdecode(raw)))
)


@pytest.mark.parametrize("kind", get_args(JobDescription))
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_each_description_arrives_as_it_was_sent(kind: type, data: st.DataObject) -> None:
    job = data.draw(st.from_type(kind))
    back = decode(JobDescription, encode(JobDescription, job))
    assert back == job
    assert encode(JobDescription, back) == encode(JobDescription, job)  # what does not count for equality, too
    assert type(back) is kind


def test_a_secret_is_sent_and_not_shown() -> None:
    storage = StorageDaemon("host", 9103, "a secret")
    assert decode(StorageDaemon, encode(StorageDaemon, storage)).key == "a secret"
    assert "secret" not in repr(storage)


def test_a_description_cannot_be_changed_on_its_way() -> None:
    job = BackupJob(Places.within(Path("/v")), "J", "c", Level.FULL, FileSet(), AgentSetup())
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.name = "other"  # type: ignore[misc]


def test_without_a_word_it_is_the_file_systems_agent_and_ten_minutes() -> None:
    setup = AgentSetup()
    assert (setup.lines, setup.timeout_s) == ((AgentLine("filesystem"),), 600)
    assert setup.directories == ()
    assert setup.digests == ()


def test_each_way_to_replace_is_one_that_agents_know() -> None:
    assert {way.name for way in Replace} == {way.name for way in AgentReplace}
    assert RestoreJob(Places.within(Path("/v")), 1, Path("/r"), AgentSetup()).replace is Replace.ALWAYS
