from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from filed.catalog import CATALOG_FILE, Catalog, path_glob
from filed.catalog.database import Database, explain
from filed.catalog.schema import APPLICATION_ID
from filed.errors import CatalogError
from tests.catalog.model import Item, backup, open_catalog, tree_of


def test_a_missing_catalog_says_what_to_do(tmp_path: Path) -> None:
    for opener in (Catalog.open, Catalog.read):
        with pytest.raises(CatalogError, match=r"does not exist.*filed catalog rebuild -s"):
            opener(tmp_path / CATALOG_FILE)


def test_a_catalog_is_made_where_it_is_wanted_and_not_for_everyone_to_read(tmp_path: Path) -> None:
    with Catalog.open(tmp_path, create=True) as catalog:
        assert catalog.path == tmp_path / CATALOG_FILE
        assert stat.S_IMODE(catalog.path.stat().st_mode) & 0o007 == 0
    with Catalog.open(tmp_path) as catalog:
        assert catalog.jobs() == []


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"cannot make the catalog .*nowhere"):
        Catalog.open(tmp_path / "nowhere" / CATALOG_FILE, create=True)


@pytest.mark.parametrize("name", [b"with space?and#and%", b"caf\xe9", "naïve".encode()])
def test_a_directory_may_have_any_name(tmp_path: Path, name: bytes) -> None:
    directory = tmp_path / os.fsdecode(name)
    directory.mkdir()
    with open_catalog(directory) as catalog:
        job = backup(catalog, {b"/a": Item(1)})
        with catalog.base_list(job.job_id) as base:
            assert base.lookup([b"/a"]) != [None]
    assert (directory / CATALOG_FILE).exists()


def test_a_newer_catalog_is_not_touched(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        catalog.database.connection.execute("PRAGMA user_version = 99")
    for opener in (Catalog.open, Catalog.read):
        with pytest.raises(CatalogError, match="has version 99, this filed knows up to"):
            opener(tmp_path)


def test_a_file_of_another_program_is_not_touched(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / CATALOG_FILE)) as other:
        other.execute("CREATE TABLE theirs (a)")
    for opener in (Catalog.open, Catalog.read):
        with pytest.raises(CatalogError, match="another program"):
            opener(tmp_path)
    with closing(sqlite3.connect(tmp_path / CATALOG_FILE)) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]


def test_an_older_catalog_is_brought_up_to_date_even_by_a_reader(tmp_path: Path) -> None:
    make_old(tmp_path / CATALOG_FILE)
    with Catalog.read(tmp_path) as catalog:
        assert catalog.jobs() == []


def make_old(path: Path) -> None:
    """A catalog before the first version: marked as ours, without a table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


@pytest.mark.parametrize("way", [Catalog.open, Catalog.read])
def test_a_catalog_that_was_emptied_is_not_taken_for_a_new_one(tmp_path: Path, way: Callable[[Path], Catalog]) -> None:
    (tmp_path / CATALOG_FILE).touch()
    with pytest.raises(CatalogError, match="is empty; make it anew: filed catalog rebuild"):
        way(tmp_path)
    with open_catalog(tmp_path) as catalog:
        assert catalog.jobs() == []


def make_and_close(path: Path) -> None:
    open_catalog(path).close()


def test_many_may_make_the_catalog_at_once(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(4) as pool:
        for number in range(40):
            (tmp_path / str(number)).mkdir()
            pool.map(make_and_close, [tmp_path / str(number)] * 4, chunksize=1)


def test_a_disk_mounted_read_only_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filed.catalog.database._is_mounted_read_only", lambda _path: True)
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    assert "Read-only file system" in explain(tmp_path / CATALOG_FILE, error)


def test_what_is_no_catalog_at_all_sends_to_the_rebuild(tmp_path: Path) -> None:
    (tmp_path / CATALOG_FILE).write_bytes(b"not a database, but long enough to be taken for one" * 100)
    for opener in (Catalog.open, Catalog.read):
        with pytest.raises(CatalogError, match=r"is damaged .*the Volumes are not: filed catalog rebuild -s"):
            opener(tmp_path)


def test_damage_inside_is_found_and_sends_to_the_rebuild(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/%06d" % n: Item(n) for n in range(5000)})
    file = tmp_path / CATALOG_FILE
    content = bytearray(file.read_bytes())
    for page in range(20, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    file.write_bytes(content)
    with Catalog.open(tmp_path) as catalog, pytest.raises(CatalogError, match="filed catalog rebuild"):
        tree_of(catalog, job)
    with Catalog.open(tmp_path) as catalog:
        assert catalog.check() != []


def test_a_catalog_locked_for_long_says_who_to_look_for(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog, open_catalog(tmp_path) as other:
        other.database.connection.execute("PRAGMA busy_timeout = 10")
        with catalog.database.transaction(), pytest.raises(CatalogError, match=r"locked by another process.*fuser"):
            other.note_volume("Vol-0001", 0)


def test_a_full_disk_says_so_and_the_catalog_lives_on(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        (pages,) = catalog.database.connection.execute("PRAGMA page_count").fetchone()
        catalog.database.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(CatalogError, match=r"no space left.*filed prune"):
            backup(catalog, {b"/%06d" % n: Item(n) for n in range(5000)})
        catalog.database.connection.execute("PRAGMA max_page_count = 100000")
        job = backup(catalog, {b"/a": Item(1)})
        assert len(tree_of(catalog, job)) == 1


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        backup(catalog, {b"/a": Item(1)})
        catalog.note_volume("Vol-0002", 0)
        with pytest.raises(CatalogError, match="Vol-0001 still holds"):
            catalog.forget_volumes(["Vol-0002", "Vol-0001"])
        assert [volume.name for volume in catalog.volumes()] == ["Vol-0001", "Vol-0002"]


def test_only_the_end_of_a_job_waits_for_the_disk(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        execute = catalog.database.connection.execute
        with catalog.database.transaction():
            assert execute("PRAGMA synchronous").fetchone() == (1,)
        with catalog.database.durable():
            assert execute("PRAGMA synchronous").fetchone() == (2,)
        assert execute("PRAGMA synchronous").fetchone() == (1,)
        assert execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_reader_writes_nothing(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/a": Item(1)})
    with Catalog.read(tmp_path) as catalog:
        assert len(tree_of(catalog, job)) == 1
        with pytest.raises(CatalogError, match="cannot be written"):
            catalog.note_volume("Vol-0001", 0)


def test_a_reader_sees_jobs_that_end_meanwhile(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog, Catalog.read(tmp_path) as reader:
        backup(catalog, {b"/a": Item(1)})
        assert len(reader.jobs()) == 1


def test_a_rebuild_that_replaces_the_file_while_we_wait_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with open_catalog(tmp_path) as catalog:
        backup(catalog, {b"/a": Item(1)})
    with open_catalog(other) as catalog:
        backup(catalog, {b"/a": Item(1)})
        backup(catalog, {b"/a": Item(1)})
    connect = sqlite3.connect
    replaced = []

    def connect_slowly(*args: object, **options: object) -> sqlite3.Connection:
        connection = connect(*args, **options)  # type: ignore[call-overload]
        if not replaced:
            replaced.append(connection.execute("SELECT count(*) FROM job").fetchone())
            shutil.move(other / CATALOG_FILE, tmp_path / CATALOG_FILE)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_slowly)
    with Catalog.open(tmp_path) as catalog:
        assert len(catalog.jobs()) == 2


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_IOERR, "disk under the catalog"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be opened: check the owner"),
        (sqlite3.SQLITE_READONLY, "cannot be written: check the owner"),
        (sqlite3.SQLITE_FULL, "no space left"),
        (sqlite3.SQLITE_CORRUPT, "filed catalog rebuild -s /backup"),
        (sqlite3.SQLITE_IOERR | 3 << 8, "fails"),
        (sqlite3.SQLITE_MISUSE, "the catalog /backup/catalog.sqlite: text"),
    ],
)
def test_each_kind_of_trouble_has_its_advice(code: int, words: str) -> None:
    error = sqlite3.OperationalError("text")
    error.sqlite_errorcode = code
    assert words in explain(Path("/backup/catalog.sqlite"), error)


def test_a_table_that_is_missing_sends_to_the_rebuild(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        catalog.database.connection.execute("DROP TABLE file")
        with pytest.raises(CatalogError, match=r"not as filed makes it.*rebuild"):
            list(catalog.find(path_glob(b"*"), [1]))


@pytest.mark.root
def test_a_catalog_on_a_disk_mounted_read_only_is_read(tmp_path: Path) -> None:
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    make_old(disk / "old.sqlite")
    with open_catalog(disk) as catalog:
        job = backup(catalog, {b"/a": Item(1)})
    if subprocess.run(["mount", "--bind", disk, disk], capture_output=True).returncode:
        pytest.skip("may not mount here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", disk], check=True)
        with Catalog.read(disk) as catalog:
            assert len(tree_of(catalog, job)) == 1
            with catalog.base_list(job.job_id) as base:
                assert base.lookup([b"/a"]) != [None]
        with pytest.raises(CatalogError, match=r"cannot be written: Read-only file system"):
            Catalog.open(disk)
        with pytest.raises(CatalogError, match="older filed and cannot be brought up to date"):
            Catalog.read(disk / "old.sqlite")
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_log_that_cannot_be_read_is_not_ignored(tmp_path: Path) -> None:
    from filed.catalog.database import _refuse_unless_log_is_empty

    path = tmp_path / CATALOG_FILE
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    _refuse_unless_log_is_empty(path, error)
    (tmp_path / (CATALOG_FILE + "-wal")).write_bytes(b"frames")
    with pytest.raises(CatalogError, match=r"copy catalog.sqlite"):
        _refuse_unless_log_is_empty(path, error)


def test_rows_come_one_by_one(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        database: Database = catalog.database
        rows = database.rows("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
        assert [next(rows)[0] for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("end", ["", "-wal"])
def test_a_descriptor_that_somebody_else_closed_costs_no_log(tmp_path: Path, end: str) -> None:
    """A library that closes a descriptor twice closes ours, and opens a file of its own under that number."""
    catalog = open_catalog(tmp_path)
    backup(catalog, {b"/a": Item(1)})
    (number,) = (
        int(fd.name) for fd in Path("/proc/self/fd").iterdir() if points_to(fd, tmp_path / f"{CATALOG_FILE}{end}")
    )
    kept = os.dup(number)
    os.dup2(os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT), number)
    try:
        assert catalog.lost
        with pytest.raises(CatalogError, match="was closed by an agent of this Job"):
            backup(catalog, {b"/b": Item(1)})
        catalog.close()
        assert (tmp_path / "other").read_bytes() == b""
    finally:
        os.dup2(kept, number)
    with Catalog.open(tmp_path) as again:
        assert [job.good for job in again.jobs()] == [True]
        with again.base_list(again.jobs()[0].job_id) as base:
            assert base.lookup([b"/a"]) != [None]


def test_a_catalog_that_is_opened_twice_may_be_closed_once(tmp_path: Path) -> None:
    first = open_catalog(tmp_path)
    with Catalog.open(tmp_path) as second:
        first.close()
        assert not second.lost
        assert backup(second, {b"/a": Item(1)}).job_id == 1


def points_to(descriptor: Path, file: Path) -> bool:
    try:
        return descriptor.readlink() == file
    except OSError:
        return False
