"""Names of databases and logs that are exchanged while they are saved: nothing of one owner is stored under another's name."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filed.agents import Agent, AgentStream, Begin, Kind, Library, Settings, StatusPage, load
from filed.agents.instance import AgentJob
from filed.cli.agents import shipped_agents
from filed.errors import ItemError
from filed.process.outcome import JobStatus
from tests.exchange_names import PAIRS, being_exchanged, exchange, make_pairs
from tests.native_agents.filesystem.driving import Host, fileset_of
from tests.native_agents.sqlite.test_databases import having_run
from tests.system_agents.jobs import Place, line


def library() -> Library:
    return load("sqlite", [Path(os.environ.get("FILED_TEST_AGENTS") or shipped_agents())])


def make(path: Path, text: str, mode: int = 0o644) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE note (text)")
        db.executemany("INSERT INTO note VALUES (?)", [(text * 100,)] * 20)
    path.chmod(mode)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    make(made / "public.db", "public")
    make(made / "secret.db", "secret", 0o600)
    return made


@pytest.fixture
def job(home: Path, tmp_path: Path) -> Iterator[AgentJob]:
    fileset = fileset_of(b"/@SQLITE" + bytes(home))
    with (
        Agent(library(), Host(), StatusPage(), Settings((("scratch", os.fspath(tmp_path)),))) as agent,
        agent.begin(Begin(Kind.BACKUP, fileset=fileset)) as begun,
    ):
        yield begun


def next_of(job: AgentJob, name: str) -> int:
    """The cookie of that database."""
    while (page := job.next_page()) is not None:
        for entry, found in page:
            if found.endswith(os.fsencode(f"/{name}")):
                return entry.cookie
    raise AssertionError(name)


def replace_by_another(public: Path, secret: Path) -> None:
    secret.rename(public)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (exchange, "another file has its name"),
        (replace_by_another, "another file has its name"),
        (lambda public, _: public.chmod(0o600), "its owner or permissions were changed"),
    ],
)
def test_a_database_is_saved_as_it_was_listed_or_not_at_all(
    job: AgentJob, home: Path, change: Callable[[Path, Path], object], why: str
) -> None:
    cookie = next_of(job, "public.db")
    change(home / "public.db", home / "secret.db")
    with pytest.raises(ItemError, match=why):
        job.open_stream(cookie, AgentStream.DATA)


@pytest.mark.root
def test_the_log_of_somebody_else_is_not_saved_with_a_database(job: AgentJob, home: Path, tmp_path: Path) -> None:
    log, secret = home / "public.db-wal", tmp_path / "log"
    with closing(sqlite3.connect(home / "public.db")) as db:
        db.execute("PRAGMA journal_mode = wal")
    with having_run(home / "public.db", "INSERT INTO note VALUES ('logged')"):
        cookie = next_of(job, "public.db")
        secret.write_bytes(log.read_bytes())
        secret.chmod(0o600)
        os.chown(secret, 12345, 12345)
        exchange(log, secret)
        with pytest.raises(ItemError, match="its log belongs to somebody else"):
            job.open_stream(cookie, AgentStream.DATA)
        assert (log.stat().st_uid, log.stat().st_mode & 0o777) == (12345, 0o600), "nor is it given away"


def test_nothing_secret_is_saved_as_public_while_names_are_exchanged(home: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    make_pairs(source, (home / "public.db").read_bytes(), (home / "secret.db").read_bytes())
    place = Place(tmp_path / "volumes", (Path(os.environ.get("FILED_TEST_AGENTS") or shipped_agents()),))
    agent = line("sqlite", scratch=os.fspath(tmp_path))
    for number in range(3):
        with being_exchanged(source):
            ran = place.backup(agent, files=[b"/@SQLITE" + bytes(source)])
        where = tmp_path / str(number)
        assert place.restore(ran.outcome.jobid, where, agent).outcome.status is JobStatus.OK
        for path in (path for path in where.rglob("*") if path.is_file()):
            kind = "public" if path.stat().st_mode & 0o044 else "secret"
            with closing(sqlite3.connect(path)) as db:
                assert db.execute("SELECT DISTINCT text FROM note").fetchall() == [(kind * 100,)]
        assert ran.outcome.totals.files + ran.outcome.totals.errors >= PAIRS
