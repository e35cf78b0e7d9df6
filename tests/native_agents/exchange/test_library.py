"""Where the service's library is found, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.process.outcome import JobStatus
from tests.agents.compile import compile_agent
from tests.native_agents.exchange.jobs import Jobs


@pytest.fixture
def found_by_environment(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    monkeypatch.setenv("FILED_ESEBCLI", os.fspath(jobs.library))
    jobs.options["library"] = ""
    return jobs


def test_the_environment_names_it_for_who_is_nobody_special(found_by_environment: Jobs) -> None:
    ran = found_by_environment.backup()
    if os.geteuid() == 0:
        assert ran.outcome.status is JobStatus.FATAL
        assert "FILED_ESEBCLI is not followed with this user's rights" in ran.outcome.text
    else:
        assert ran.outcome.status is JobStatus.OK


def test_an_administrator_may_say_that_the_environment_counts(found_by_environment: Jobs) -> None:
    found_by_environment.good(trust_environment="yes")


def test_without_any_the_message_says_what_to_set(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FILED_ESEBCLI", raising=False)
    jobs.options["library"] = ""
    assert "Set the option library" in jobs.backup().outcome.text


@pytest.mark.parametrize("path", ["libesesim.so", "../libesesim.so"])
def test_a_path_that_depends_on_where_one_stands_is_refused(jobs: Jobs, path: str) -> None:
    assert "give its whole path" in jobs.backup(library=path).outcome.text


def test_another_library_is_told_by_what_it_lacks(jobs: Jobs, tmp_path: Path) -> None:
    compile_agent("good.c", tmp_path, "good")
    text = jobs.backup(library=os.fspath(tmp_path / "good.so")).outcome.text
    assert "has no HrESEBackupPrepare: it is no esebcli2.dll" in text


def test_a_server_of_another_name_is_not_asked(jobs: Jobs) -> None:
    store = jobs.store.root / "store.ini"
    store.write_text(store.read_text().replace("server=", "server=MAIL1"))
    assert "see the option server" in jobs.backup(server="MAIL2").outcome.text
    jobs.good(server="MAIL1")
