"""A backup session: the order of its calls, what it is given to read, and that it changes nothing before its end."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

import pytest

from tests.esesim.client import open_group, save
from tests.esesim.interface import Backup, Ese
from tests.esesim.refusals import refused
from tests.esesim.simulator import GROUP, PUBLIC, Store


def contents(store: Store) -> dict[str, bytes]:
    """Everything on disk but who holds what."""
    files = [path for path in store.root.rglob("*") if path.is_file() and path.name not in {"lock", "guard"}]
    return {str(path.relative_to(store.root)): path.read_bytes() for path in files}


def test_the_log_list_wants_all_files_closed_and_comes_after_the_databases(store: Store) -> None:
    store.write(30)
    session, instance = open_group(store, Backup.FULL)
    first, second = instance.databases
    with refused(Ese.INVALID_BACKUP_SEQUENCE):
        session.logs()  # no database yet
    session.read_database(first)
    handle, _ = session.open(second.paths[0])
    with refused(Ese.INVALID_BACKUP_SEQUENCE):
        session.logs()
    session.close(handle)
    generation = store.status().generation
    listed = session.logs()
    assert store.status().generation == generation + 1, "the current log is closed"
    assert session.logs() == listed
    assert store.status().generation == generation + 1, "but once"
    with refused(Ese.INVALID_BACKUP_SEQUENCE):
        session.open(second.paths[0])
    session.end()


def test_a_log_is_opened_only_when_it_was_listed(store: Store) -> None:
    store.write(60)
    store.foreign_backup("full")
    session, _ = open_group(store, Backup.LOGS_ONLY)
    oldest = str(store.root / "g1" / f"E00{store.status().oldest:08X}.log")
    with refused(Ese.INVALID_BACKUP_SEQUENCE):
        session.open(oldest)
    assert session.logs()[0] == oldest
    assert session.read_file(oldest)
    for name in ("E00.log", "E0000000FFF.log", "group.ini", "../store.ini"):
        with refused(Ese.FILE_NOT_FOUND):
            session.open(str(store.root / "g1" / name))
    with refused(Ese.INVALID_BACKUP_SEQUENCE):
        session.open(str(store.root / "g1" / "mbx.edb"))
    session.end()


def test_calls_out_of_order_are_refused(store: Store) -> None:
    session, instances = store.ese.prepare()
    for call in (session.logs, session.truncate, session.would_truncate, lambda: session.end_instance(success=True)):
        with refused(Ese.INVALID_BACKUP_SEQUENCE):
            call()
    session.setup(instances[0], Backup.FULL)
    with refused(Ese.INVALID_BACKUP_SEQUENCE):
        session.setup(instances[0], Backup.FULL)
    for call in (session.truncate, session.would_truncate):
        with refused(Ese.INVALID_BACKUP_SEQUENCE):
            call()
    session.end()
    with refused(Ese.NO_BACKUP):
        session.logs()


def test_a_success_without_the_log_list_is_an_abort(store: Store) -> None:
    session, instance = open_group(store, Backup.FULL)
    for database in instance.databases:
        session.read_database(database)
    before = contents(store)
    with refused(Ese.INVALID_BACKUP_SEQUENCE):
        session.end_instance(success=True)
    assert contents(store) == before
    session.end()
    store.foreign_backup("full")


@pytest.mark.parametrize("how", ["error", "end without instance end"])
def test_a_session_that_fails_has_changed_nothing_but_the_roll(store: Store, how: str) -> None:
    store.write(40)
    store.set_group(lag=100)  # the checkpoint would move with the roll
    before = contents(store)
    session, instance = open_group(store, Backup.FULL)
    for database in instance.databases:
        session.read_database(database)
    listed = [Path(path).name for path in session.logs()]
    for name in listed:
        session.read_file(str(store.root / "g1" / name))
    if how == "error":
        session.end_instance(success=False)
    session.end()
    after = contents(store)
    rolled = {f"g1/{listed[-1]}", "g1/E00.log"}
    assert {name for name in after if after[name] != before.get(name)} == rolled
    assert before.keys() <= after.keys()


def test_one_session_per_group_and_no_attaching_meanwhile(store: Store) -> None:
    store.add_group("Second", "g2", log_size=5120)
    store.add_database("Other", "other", "Second")
    session, _ = open_group(store, Backup.FULL)
    beside, _ = open_group(store, Backup.FULL, "Second")
    for call in (
        lambda: open_group(store, Backup.FULL),
        store.dismount,
        store.mount,
        lambda: store.add_database("New", "new"),
        lambda: store.remove_database(PUBLIC),
        lambda: store.rename_database(PUBLIC, "Other"),
        lambda: store.set_group(circular=1),
    ):
        with refused(Ese.BACKUP_IN_PROGRESS):
            call()
    store.write(20)  # mailboxes go on
    session.end_instance(success=False)
    store.dismount(PUBLIC)
    session.end()
    beside.end()


def test_the_lock_of_a_dead_process_holds_nothing_and_its_session_has_changed_nothing(store: Store) -> None:
    store.write(30)
    before = store.status()
    child = os.fork()
    if not child:
        session, instance = open_group(store, Backup.FULL)
        session.read_database(instance.databases[0])
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert (store.root / "g1" / "lock").exists()
    assert store.status() == before
    store.dismount(PUBLIC)
    store.mount(PUBLIC)
    store.foreign_backup("full")


def test_a_living_process_holds_its_lock(store: Store) -> None:
    ready, let_go = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        open_group(store, Backup.FULL)
        os.write(ready[1], b"x")
        os.read(let_go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    with refused(Ese.BACKUP_IN_PROGRESS):
        store.foreign_backup("full")
    os.write(let_go[1], b"x")
    os.waitpid(child, 0)
    store.foreign_backup("full")
    for end in (*ready, *let_go):
        os.close(end)


def test_only_mounted_databases_can_be_read(store: Store) -> None:
    store.dismount(PUBLIC)
    session, instance = open_group(store, Backup.FULL)
    assert [database.mounted for database in instance.databases] == [True, False]
    with refused(Ese.FILE_NOT_FOUND):
        session.open(instance.databases[1].paths[0])
    session.end()


def test_short_reads_give_the_same_bytes(store: Store) -> None:
    store.write(60)
    store.fault("short_reads", 5)
    session, instance = open_group(store, Backup.FULL)
    pieces = list(session.pieces(instance.databases[0].paths[0], 1000))
    assert len({len(piece) for piece in pieces}) > 2
    on_disk = (store.root / "g1" / "mbx.edb").read_bytes()
    assert b"".join(pieces)[8192:] == on_disk[8192:]  # before that, the headers of a copy
    session.end()


def test_the_count_may_be_only_sixteen_bits(store: Store) -> None:
    store.fault("got_is_word")
    saved = save(store, Backup.FULL)
    assert all(len(content) >= 8192 for content in saved.streams.values())


def test_a_page_with_a_wrong_checksum_is_an_error_never_data(store: Store) -> None:
    store.write(60, flush_percent=100)
    path = store.root / "g1" / "mbx.edb"
    raw = bytearray(path.read_bytes())
    raw[-100] ^= 1
    path.write_bytes(raw)
    session, _ = open_group(store, Backup.FULL)
    with refused(Ese.READ_VERIFY_FAILURE):
        session.read_file(str(path))
    session.end()


def test_sizes_beyond_4_gib_are_told_and_read_on(store: Store) -> None:
    size = (5 << 30) + 4096
    store.stretch(size)
    session, _ = open_group(store, Backup.FULL)
    handle, told = session.open(str(store.root / "g1" / "mbx.edb"))
    assert told == size
    assert len(session.read(handle)) == 61440
    session.close(handle)
    session.end()


def test_the_nth_call_answers_what_a_fault_wants(store: Store) -> None:
    store.fault("fail.HrESEBackupReadFile", "3:C80003FE")
    session, instance = open_group(store, Backup.FULL)
    handle, _ = session.open(instance.databases[0].paths[0])
    session.read(handle, 4096)
    session.read(handle, 4096)
    with refused(Ese.DISK_IO):
        session.read(handle, 4096)
    session.read(handle, 4096)
    session.end()
    with refused(Ese.INVALID_PARAMETER):
        store.fault("no_such_switch")


def test_a_restored_file_may_seem_to_be_writable_once(store: Store) -> None:
    store.write(20)
    saved = save(store, Backup.FULL)
    store.fault("open_answers_ok")
    session = store.ese.restore(GROUP)
    names = list(saved.logs)
    assert [session.open_file(name) for name in (names[0], names[0])] == [0, Ese.AT_FILE_LEVEL]
    session.close(abort=True)


def test_another_server_or_service_is_not_here(store: Store, tmp_path: Path) -> None:
    with refused(Ese.DATABASE_NOT_FOUND):
        store.ese.prepare(annotation="Microsoft Site Replication Service")
    other = Store(store.library, tmp_path / "other", server="MAIL1")
    other.ese.prepare("mail1")[0].end()
    with refused(Ese.DATABASE_NOT_FOUND):
        other.ese.prepare("MAIL2")
    store.use()


def test_what_was_not_freed_and_what_was_freed_wrongly_is_counted(store: Store) -> None:
    session, _ = open_group(store, Backup.FULL)
    before = store.unfreed, store.wrong_frees
    given = ctypes.c_void_p()
    store.ese.call("HrESEBackupRestoreGetNodes", "MAIL1".encode("utf-16-le") + b"\0\0", ctypes.byref(given))
    assert store.unfreed == before[0] + 1
    store.ese.free("ESEBackupFree", given)
    assert (store.unfreed, store.wrong_frees) == (before[0] + 1, before[1] + 1)
    store.ese.free("ESEBackupRestoreFreeNodes", given)
    assert store.unfreed == before[0]
    session.end()


def test_a_handle_that_is_not_open_is_refused(store: Store) -> None:
    session, instance = open_group(store, Backup.FULL)
    handle, _ = session.open(instance.databases[0].paths[0])
    session.close(handle)
    for call in (session.read, session.close):
        with refused(Ese.INVALID_PARAMETER):
            call(handle)
    session.end()
