"""Levels, offered logs, preconditions, truncation: the truth table of the engine."""

from __future__ import annotations

import os
import signal
from pathlib import PurePath

import pytest

from tests.esesim.client import open_group, save
from tests.esesim.interface import Backup, Ese
from tests.esesim.refusals import refused
from tests.esesim.simulator import MAILBOX, PUBLIC, Store


def kinds(store: Store, database: str = MAILBOX) -> set[str]:
    return {kind for name, kind in store.status().records if name == database}


def on_disk(store: Store) -> list[int]:
    """Closed generations."""
    return sorted(int(path.stem[3:], 16) for path in (store.root / "g1").glob("E00????????.log"))


@pytest.mark.parametrize(
    ("kind", "truncate", "recorded"),
    [
        (Backup.FULL, True, {"full"}),
        (Backup.FULL, False, {"full", "incremental", "differential", "copy"}),
        (Backup.LOGS_ONLY, True, {"full", "incremental", "differential"}),
        (Backup.LOGS_ONLY, False, {"full", "incremental", "differential"}),
    ],
)
def test_whether_truncation_was_called_decides_what_is_recorded(
    store: Store, kind: Backup, recorded: set[str], *, truncate: bool
) -> None:
    store.foreign_backup("full")
    store.write(30)
    store.foreign_backup("differential")
    store.foreign_backup("incremental")
    before = store.status().records
    store.write(30, seed=2)
    store.set_group(lag=0)  # nothing holds the logs back
    saved = save(store, kind, truncate=truncate)
    after = store.status()
    assert kinds(store) == kinds(store, PUBLIC) == recorded
    names = {(False, True): "full", (False, False): "copy", (True, True): "incremental", (True, False): "differential"}
    new = names[kind == Backup.LOGS_ONLY, truncate]
    assert after.records[MAILBOX, new] == (saved.generations[0], saved.generations[-1])
    unchanged = {key: value for key, value in before.items() if key[1] != new and key in after.records}
    assert {key: after.records[key] for key in unchanged} == unchanged
    assert bool(on_disk(store)) == (not truncate)


def test_an_old_engine_may_take_a_copy_for_a_full(store: Store) -> None:
    store.fault("old_engine")
    store.foreign_backup("copy")
    assert kinds(store) == {"full"}


def test_a_full_is_offered_the_logs_from_the_checkpoint_of_its_begin(store: Store) -> None:
    store.write(80)
    before = store.status()
    saved = save(store, Backup.FULL, during=store.checkpoint)
    assert saved.generations == list(range(before.checkpoint, before.generation + 1))
    assert before.oldest < before.checkpoint
    everything = save(store, Backup.FULL_WITH_ALL_LOGS)
    assert everything.generations == on_disk(store)


def test_logs_only_is_offered_every_closed_log_whatever_was_saved_before(store: Store) -> None:
    store.write(60)
    store.foreign_backup("full")
    for truncate in (False, False):
        store.write(30)
        assert save(store, Backup.LOGS_ONLY, truncate=truncate).generations == on_disk(store)


def test_logs_between_checkpoint_and_now_stay_and_are_offered_again(store: Store) -> None:
    store.write(60)
    store.foreign_backup("full")
    store.write(60, seed=2)
    first = save(store, Backup.LOGS_ONLY, truncate=True)
    assert on_disk(store) == list(range(store.status().checkpoint, store.status().generation))
    second = save(store, Backup.LOGS_ONLY, truncate=True)
    assert set(first.generations) & set(second.generations)


def test_a_full_deletes_logs_that_are_not_in_it(store: Store) -> None:
    store.write(80)
    saved = save(store, Backup.FULL, truncate=True)
    assert saved.generations[0] > 1
    assert on_disk(store)[0] >= saved.generations[0]


def test_logs_alone_want_a_full_of_every_mounted_database(store: Store) -> None:
    with refused(Ese.MISSING_FULL_BACKUP):
        save(store, Backup.LOGS_ONLY)
    store.foreign_backup("copy")
    with refused(Ese.MISSING_FULL_BACKUP):
        save(store, Backup.LOGS_ONLY)
    store.foreign_backup("full")
    save(store, Backup.LOGS_ONLY)
    store.add_database("New", "new")
    generation = store.status().generation
    with refused(Ese.MISSING_FULL_BACKUP):
        save(store, Backup.LOGS_ONLY)
    assert store.status().generation == generation, "a refusal closes no log"
    store.dismount("New")
    save(store, Backup.LOGS_ONLY)


def test_logs_alone_want_every_log_since_the_last_full_or_incremental(store: Store) -> None:
    store.foreign_backup("full")
    full = store.status().records[MAILBOX, "full"][1]
    store.write(60)
    store.roll()
    store.roll()
    directory = store.root / "g1"
    for generation in range(1, full + 2):
        (directory / f"E00{generation:08X}.log").unlink(missing_ok=True)
    with refused(Ese.MISSING_FILE_TO_BACKUP):
        save(store, Backup.LOGS_ONLY)
    store.foreign_backup("full")
    save(store, Backup.LOGS_ONLY)


def test_a_log_missing_in_the_middle_stops_every_backup_that_needs_it(store: Store) -> None:
    store.set_group(lag=20)
    store.write(100)
    store.foreign_backup("full")
    (store.root / "g1" / f"E00{on_disk(store)[2]:08X}.log").unlink()
    for kind in Backup:
        with refused(Ese.MISSING_FILE_TO_BACKUP):
            save(store, kind)


def test_early_refusals_come_from_setup(store: Store) -> None:
    store.fault("early_refusal")
    with refused(Ese.MISSING_FULL_BACKUP):
        open_group(store, Backup.LOGS_ONLY)


def test_truncation_wants_every_offered_log_read_to_its_end(store: Store) -> None:
    store.write(60)
    store.checkpoint()
    session, instance = open_group(store, Backup.FULL)
    for database in instance.databases:
        session.read_database(database)
    store.write(30)
    listed = session.logs()
    assert len(listed) > 1
    before = on_disk(store)
    for path in listed[:-1]:
        session.read_file(path)
    handle, _ = session.open(listed[-1])
    session.read(handle, 4096)
    with refused(Ese.INVALID_BACKUP_SEQUENCE):  # a file is open
        session.truncate()
    session.close(handle)
    with refused(Ese.LOG_SEQUENCE_NOT_READ):
        session.truncate()
    assert on_disk(store) == before
    session.read_file(listed[-1])
    would = [int(PurePath(path).stem[3:], 16) for path in session.would_truncate()]
    session.truncate()
    assert would
    assert on_disk(store) == [generation for generation in before if generation not in would]
    session.end_instance(success=True)
    session.end()


def test_truncation_never_goes_past_the_session_nor_the_checkpoint(store: Store) -> None:
    store.foreign_backup("full")
    store.write(60)
    session, _ = open_group(store, Backup.LOGS_ONLY)
    listed = session.logs()
    for path in listed:
        session.read_file(path)
    store.write(60, seed=2)
    store.checkpoint()
    newer = [generation for generation in on_disk(store) if generation > int(PurePath(listed[-1]).stem[3:], 16)]
    session.truncate()
    session.end_instance(success=True)
    session.end()
    assert on_disk(store) == newer
    assert newer


def test_a_part_of_a_group_keeps_the_logs_that_the_others_need(store: Store) -> None:
    store.write(60)
    store.checkpoint()
    save(store, Backup.FULL, only=[MAILBOX], truncate=True)
    assert on_disk(store)[0] == 1, "the other one never had a Full"
    save(store, Backup.FULL, truncate=True)
    full = store.status().records[PUBLIC, "full"][1]
    store.write(60, seed=2)
    store.checkpoint()
    save(store, Backup.FULL, only=[MAILBOX], truncate=True)
    assert on_disk(store)[0] == full + 1
    store.dismount(PUBLIC)
    store.set_group(lag=0)
    save(store, Backup.FULL, only=[MAILBOX], truncate=True)
    assert not on_disk(store), "a database that is not mounted needs none"


def test_a_crash_in_the_middle_of_truncation_leaves_a_contiguous_tail(store: Store) -> None:
    store.foreign_backup("full")
    store.write(120)
    store.checkpoint()
    before = on_disk(store)
    store.fault("die_in_truncate", 3)
    child = os.fork()
    if not child:
        save(store, Backup.LOGS_ONLY, truncate=True)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    after = on_disk(store)
    assert after == list(range(before[0] + 3, after[-1] + 1))
    assert "incremental" not in kinds(store)
    store.fault("die_in_truncate", None)
    with refused(Ese.MISSING_FILE_TO_BACKUP):  # the header knows nothing of it: only a Full helps
        save(store, Backup.LOGS_ONLY)
    store.foreign_backup("full")
