"""Which agent restores what; that each comes back whole is in tests/system_agents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.errors import AgentLoadError
from filed.job.agents.restorers import Restorers
from filed.job.description import AgentSetup, Places, RestoreJob
from tests.job.conftest import Desk
from tests.system_agents.jobs import line


@pytest.fixture
def restorers(desk: Desk, agents_dir: Path, tmp_path: Path) -> Iterator[Restorers]:
    job = RestoreJob(Places.within(tmp_path), 1, tmp_path / "to", AgentSetup((line("trace"),), (agents_dir,)))
    with desk.restorers(job) as made:
        yield made


def test_entries_of_an_agent_that_the_conf_does_not_name_cannot_be_restored(restorers: Restorers) -> None:
    with pytest.raises(AgentLoadError, match=r"nobody.*the conf has no plugin line for it"):
        restorers.of(b"nobody:1:nobody: a = 1")


def test_entries_of_a_later_format_want_a_newer_agent(restorers: Restorers) -> None:
    with pytest.raises(AgentLoadError, match="saved in format 99, this one reads up to 2: install a newer one"):
        restorers.of(b"trace:99:")


def test_a_command_has_one_instance_and_it_ends_with_the_restore(restorers: Restorers) -> None:
    one = restorers.of(b"trace:2:")
    assert restorers.of(b"trace:2:") is one
    assert list(restorers) == [one]
    restorers.commit()
    assert one.job.ended
