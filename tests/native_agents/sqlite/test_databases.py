"""Whole Jobs over SQLite databases that are being written, locked, encrypted, broken; and back."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from filed.catalog import Level
from filed.cli.agents import shipped_agents
from filed.fileset import Options, Signature
from filed.job.description import AgentLine, Places, RestoreJob
from filed.job.description import Replace as Replacing
from filed.process.outcome import JobStatus, Severity
from tests.system_agents.jobs import Place, Ran, line

WRITER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
print("ready", flush=True)
step = 0
while True:
    step += 1
    a, b = step % 100, step * 7 % 100
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE account SET balance = balance - 1 WHERE id = ?", (a,))
    db.execute("UPDATE account SET balance = balance + 1 WHERE id = ?", (b,))
    db.execute("COMMIT")
"""


ONCE = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA wal_autocheckpoint = 0")
db.execute(sys.argv[2])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(
        tmp_path / "volumes", (Path(os.environ.get("FILED_TEST_AGENTS") or shipped_agents()), shipped_agents())
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


def make(path: Path, mode: str = "delete", rows: int = 100) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA journal_mode = {mode}")
        db.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER, note TEXT)")
        db.execute("BEGIN")
        db.executemany("INSERT INTO account VALUES (?, 100, ?)", ((n, "x" * 3000) for n in range(rows)))
        db.execute("COMMIT")


def sound(path: Path) -> list[tuple[int, int]]:
    """(rows, balance) of a database whose pages fit together."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return db.execute("SELECT count(*), sum(balance) FROM account").fetchall()


def agent(place: Place, **options: str) -> AgentLine:
    scratch = place.volumes.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return line("sqlite", scratch=str(scratch), **options)


def save(place: Place, home: Path, level: Level = Level.FULL, **options: str) -> Ran:
    return place.backup(agent(place, **options), files=[b"/@SQLITE" + os.fsencode(home)], level=level)


def after(seconds: float) -> Callable[[], bool]:
    """When a Job that should not take so long is to be canceled."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def names(place: Place, ran: Ran) -> list[str]:
    return [Path(os.fsdecode(path)).name for path in sorted(place.tree(ran.outcome.jobid))]


def restored(place: Place, ran: Ran, where: Path, home: Path, **more: object) -> Path:
    """Where the databases are after a good restore."""
    back = place.run(
        RestoreJob(Places.within(place.volumes), ran.outcome.jobid, where, place.setup(agent(place)), **more)
    )  # type: ignore[arg-type]
    assert back.outcome.status is JobStatus.OK, back.messages
    return where / "@SQLITE" / home.relative_to("/")


@contextmanager
def having_run(path: Path, sql: str) -> Iterator[None]:
    """A program that has written this to its log, and has the database open."""
    program = [sys.executable, "-c", ONCE, path, sql]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        yield


@contextmanager
def being_written(path: Path) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        try:
            yield
            assert writer.poll() is None
        finally:
            writer.kill()


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_database_that_is_being_written_is_saved_as_of_one_moment(
    place: Place, home: Path, tmp_path: Path, mode: str
) -> None:
    make(home / "bank.db", mode, rows=3000)
    with being_written(home / "bank.db"):
        ran = save(place, home)
    assert ran.outcome.status is JobStatus.OK, ran.messages
    found = restored(place, ran, tmp_path / "to", home)
    assert sound(found / "bank.db") == [(3000, 300_000)]
    assert os.listdir(found) == ["bank.db"]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_stands_in_the_log_alone_is_saved(place: Place, home: Path, tmp_path: Path) -> None:
    make(home / "a.db", "wal")
    with having_run(home / "a.db", "INSERT INTO account VALUES (1000, 77, 'in the log')"):
        before = (home / "a.db").read_bytes()
        ran = save(place, home)
        assert (home / "a.db").read_bytes() == before  # a backup moves nothing from there
    assert sound(restored(place, ran, tmp_path / "to", home) / "a.db") == [(101, 10_077)]


def test_owner_mode_and_time_come_back(place: Place, home: Path, tmp_path: Path) -> None:
    make(home / "a.db")
    (home / "a.db").chmod(0o640)
    os.utime(home / "a.db", (1_600_000_000, 1_600_000_000))
    about = (restored(place, save(place, home), tmp_path / "to", home) / "a.db").stat()
    assert (about.st_mode & 0o7777, about.st_mtime, about.st_uid) == (0o640, 1_600_000_000, os.getuid())


def encrypted(path: Path) -> None:
    path.write_bytes(os.urandom(8192))


def corrupt(path: Path) -> None:
    make(path, rows=1000)
    data = bytearray(path.read_bytes())
    data[40 * 4096 : 41 * 4096] = os.urandom(4096)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "report"), [(encrypted, "no SQLite database, or an encrypted one"), (corrupt, "it is corrupt: ")]
)
def test_what_is_encrypted_or_corrupt_is_told_and_never_a_good_file(
    place: Place, home: Path, spoil, report: str
) -> None:
    make(home / "good.db")
    spoil(home / "bad.sqlite")
    ran = save(place, home)
    assert ran.outcome.status is JobStatus.WARNINGS
    assert ran.outcome.totals.errors == 1
    assert any("bad.sqlite" in text and report in text for text in ran.texts(Severity.WARNING, Severity.ERROR))
    assert names(place, ran) == ["good.db"]


@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm"])
@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to(path.with_name("elsewhere"))])
def test_what_stands_beside_a_database_and_is_no_file_neither_holds_the_job_up_nor_leads_it_away(
    place: Place, home: Path, ending: str, put: Callable[[Path], None]
) -> None:
    make(home / "good.db")
    make(home / "trap.db", "delete" if ending == "-journal" else "wal")
    put(home / f"trap.db{ending}")
    ran = place.backup(agent(place), files=[b"/@SQLITE" + os.fsencode(home)], stop=after(30))
    assert ran.outcome.status is JobStatus.WARNINGS, ran.messages
    told = ran.texts(Severity.WARNING)
    assert any(f"trap.db: not saved: trap.db{ending} is no ordinary file" in text for text in told), told
    assert names(place, ran) == ["good.db"]
    assert not (home / "elsewhere").exists()


def test_a_locked_database_is_waited_for_and_then_told(place: Place, home: Path, tmp_path: Path) -> None:
    for name in ("locked.db", "other.db"):
        make(home / name)
    full = save(place, home)
    with closing(sqlite3.connect(home / "locked.db", isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        ran = save(place, home, Level.INCREMENTAL, wait="1")
        assert time.monotonic() - begun >= 1
        assert any("locked.db: not saved: database is locked" in text for text in ran.texts(Severity.WARNING))
        assert ran.outcome.status is JobStatus.WARNINGS
        begun = time.monotonic()
        canceled = place.backup(
            agent(place), files=[b"/@SQLITE" + os.fsencode(home)], stop=lambda: time.monotonic() > begun + 1
        )
        assert canceled.outcome.status is JobStatus.CANCELED
        assert "killed" not in canceled.outcome.text
    assert names(place, ran) == ["locked.db", "other.db"]  # that of the Full
    assert full.job is not None
    assert sound(restored(place, ran, tmp_path / "to", home) / "locked.db") == [(100, 10_000)]


def test_an_incremental_has_what_was_committed_since_and_what_is_gone(place: Place, home: Path) -> None:
    for name, mode in (("a.db", "delete"), ("b.db", "wal"), ("c.db", "wal"), ("d.db", "delete")):
        make(home / name, mode)
        os.utime(home / name, (1_600_000_000, 1_600_000_000))
    save(place, home)
    assert save(place, home, Level.INCREMENTAL).outcome.totals.files == 0
    with having_run(home / "b.db", "UPDATE account SET balance = 1 WHERE id = 5"):
        os.utime(home / "b.db", (1_600_000_000, 1_600_000_000))  # it is the log that changed
        (home / "d.db").unlink()
        ran = save(place, home, Level.INCREMENTAL)
    assert (ran.outcome.totals.files, ran.outcome.totals.deleted) == (1, 1)
    assert names(place, ran) == ["a.db", "b.db", "c.db"]


def test_only_databases_are_listed_and_patterns_hold(place: Place, home: Path) -> None:
    (home / "sub" / "cache").mkdir(parents=True)
    for name in ("a.db", "sub/b", "sub/cache/c.db", "skip.db"):
        make(home / name)
    (home / "text").write_text("no database")
    (home / "empty.sqlite").touch()
    (home / "link.db").symlink_to("a.db")
    os.mkfifo(home / "fifo.sqlite")
    out = Options(exclude=True, wilddir=(b"*/cache",), wildfile=(b"*/skip.db",))
    root = os.fsencode(home)
    for choice in ({"files": [b"/@SQLITE" + root]}, {"plugins": [f"sqlite: directory = {home}"]}):
        job = place.backup(agent(place), options=out, **choice)  # type: ignore[arg-type]
        assert job.outcome.status is JobStatus.OK, job.messages
        assert sorted(place.tree(job.outcome.jobid)) == [b"/@SQLITE" + root + b"/a.db", b"/@SQLITE" + root + b"/sub/b"]


def test_one_database_or_several_roots_may_be_named(place: Place, home: Path, tmp_path: Path) -> None:
    (home / "sub").mkdir()
    for name in ("a.db", "b.db", "sub/c.db"):
        make(home / name)
    (tmp_path / "way").symlink_to(home)
    files = [b"/@SQLITE" + os.fsencode(path) for path in (home / "a.db", home / "sub", tmp_path / "way")]
    ran = place.backup(agent(place), files=files)
    assert ran.outcome.status is JobStatus.OK, ran.messages
    assert [path.rpartition(b"/test_one")[2].partition(b"/")[2] for path in sorted(place.tree(ran.outcome.jobid))] == [
        b"home/a.db", b"home/sub/c.db", b"way/a.db", b"way/b.db", b"way/sub/c.db",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("plugin", "report"),
    [
        ("sqlite:", "name a directory"),
        ("sqlite: directory = relative", "give an absolute path"),
        ("sqlite: directory = /a/../b", "without empty, . and .. parts"),
        ("sqlite: directory = /a, scratch = /tmp", "may only be set in this machine's conf"),
    ],
)
def test_a_line_that_makes_no_sense_fails_the_job(place: Place, plugin: str, report: str) -> None:
    ran = place.backup(agent(place), plugins=[plugin])
    assert ran.outcome.status is JobStatus.FATAL
    assert report in ran.outcome.text


def test_a_directory_that_is_not_there_is_told(place: Place, home: Path) -> None:
    make(home / "a.db")
    save(place, home)
    home.rename(home.with_name("away"))
    ran = save(place, home, Level.INCREMENTAL)
    assert ran.outcome.status is JobStatus.FATAL  # a disk that is not mounted deletes nothing
    assert any("not saved: No such file" in text for text in ran.texts(Severity.WARNING))
    assert "none of its paths could be looked at" in ran.outcome.text


def test_a_restore_to_the_old_place_leaves_no_log_of_the_old_database(place: Place, home: Path) -> None:
    make(home / "a.db", "wal")
    ran = save(place, home)
    db = sqlite3.connect(home / "a.db", isolation_level=None)
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("DELETE FROM account")
    assert (home / "a.db-wal").stat().st_size
    restored(place, ran, Path("/"), home)
    assert sound(home / "a.db") == [(100, 10_000)]
    db.close()


def test_what_is_there_may_stay(place: Place, home: Path, tmp_path: Path) -> None:
    make(home / "a.db")
    os.utime(home / "a.db", (1_600_000_000, 1_600_000_000))
    ran = save(place, home)
    there = restored(place, ran, tmp_path / "to", home) / "a.db"
    for replace, when, stays in (
        (Replacing.NEVER, 0, True),
        (Replacing.IFNEWER, 1_600_000_001, True),
        (Replacing.IFNEWER, 1_500_000_000, False),
        (Replacing.IFOLDER, 1_500_000_000, True),
        (Replacing.IFOLDER, 1_700_000_000, False),
    ):
        there.write_bytes(b"other")
        os.utime(there, (when, when))
        restored(place, ran, tmp_path / "to", home, replace=replace)
        assert (there.read_bytes() == b"other") == stays


def test_a_database_whose_index_does_not_fit_is_kept_beside(place: Place, home: Path, tmp_path: Path) -> None:
    """The backup looks at pages, the restore at everything."""
    make(home / "a.db")
    with closing(sqlite3.connect(home / "a.db", isolation_level=None)) as db:
        db.execute("CREATE INDEX i ON account (balance)")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON account (note)' WHERE name = 'i'")
    ran = save(place, home)
    assert ran.outcome.status is JobStatus.OK, ran.messages
    back = place.restore(ran.outcome.jobid, tmp_path / "to", agent(place))
    assert back.outcome.status is JobStatus.ERROR
    assert any(
        "it is corrupt: " in text and "it is kept as a.db.corrupt" in text for text in back.texts(Severity.ERROR)
    )
    assert os.listdir(tmp_path / "to" / "@SQLITE" / home.relative_to("/")) == ["a.db.corrupt"]


def test_no_link_is_followed_below_where(place: Place, home: Path, tmp_path: Path) -> None:
    make(home / "a.db")
    ran = save(place, home)
    (tmp_path / "to").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "to" / "@SQLITE").symlink_to(tmp_path / "outside")
    back = place.restore(ran.outcome.jobid, tmp_path / "to", agent(place))
    assert back.outcome.status is JobStatus.ERROR
    assert any("a symbolic link is not followed" in text for text in back.texts(Severity.ERROR))
    assert list((tmp_path / "outside").iterdir()) == []


def test_copies_that_a_killed_job_left_are_swept(place: Place, home: Path, tmp_path: Path) -> None:
    make(home / "a.db")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    old, used, young = (scratch / f"filed-sqlite-{name * 6}" for name in "aby")
    for path in (old, used, young):
        path.touch()
    for path in (old, used):
        os.utime(path, (1, 1))
    with used.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        save(place, home)
    assert sorted(scratch.iterdir()) == [used, young]


def test_a_full_scratch_costs_the_database(place: Place, home: Path) -> None:
    make(home / "a.db")
    ran = place.backup(
        line("sqlite", scratch="/nonexistent"), files=[b"/@SQLITE" + os.fsencode(home)], signature=Signature.MD5
    )
    assert ran.outcome.status is JobStatus.WARNINGS
    assert any("no copy can be made in /nonexistent" in text for text in ran.texts(Severity.ERROR))
    assert names(place, ran) == []
