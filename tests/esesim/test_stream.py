"""The log stream: generations, creation times, signatures; what a circular group keeps."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.esesim.client import open_group, save
from tests.esesim.interface import Backup, Ese
from tests.esesim.refusals import refused
from tests.esesim.simulator import GROUP, MAILBOX, Store


@dataclass(frozen=True, slots=True)
class Head:
    """A log's header by the offsets of the real engine."""

    generation: int
    created: bytes
    previous: bytes
    signature: bytes
    file_type: int


def head(path: Path) -> Head:
    raw = path.read_bytes()
    (generation,) = struct.unpack_from("<i", raw, 4)
    (file_type,) = struct.unpack_from("<I", raw, 667)
    return Head(generation, raw[16:24], raw[24:32], raw[44:72], file_type)


def logs(directory: Path) -> list[Path]:
    return sorted(directory.glob("E00????????.log"))


@pytest.mark.parametrize("clock", [[0, 0, 0, 0], [0, -86400, 3600, -7200]])
def test_each_log_follows_the_one_before_whatever_the_clock_does(store: Store, clock: list[int]) -> None:
    for number, shift in enumerate(clock):
        store.fault("clock_s", shift)
        store.write(20, seed=number)
        store.roll()
    heads = [head(path) for path in logs(store.root / "g1")]
    assert len(heads) > 4
    assert [one.generation for one in heads] == list(range(1, len(heads) + 1))
    assert [one.previous for one in heads[1:]] == [one.created for one in heads[:-1]]
    assert {(one.signature, one.file_type) for one in heads} == {(heads[0].signature, 3)}
    assert [path.name for path in logs(store.root / "g1")] == [f"E00{one.generation:08X}.log" for one in heads]
    assert {path.stat().st_size for path in logs(store.root / "g1")} == {5120}
    if any(clock):
        assert len({one.created for one in heads}) > 1


def test_generations_are_never_used_again(store: Store) -> None:
    store.write(60)
    store.foreign_backup("full")
    store.set_group(lag=0)
    store.foreign_backup("incremental")
    assert not logs(store.root / "g1")
    before = store.status().generation
    store.roll()
    assert store.status().newest == before


def test_a_wiped_stream_begins_with_another_signature_and_its_databases_have_no_backups(store: Store) -> None:
    store.write(60)
    store.foreign_backup("full")
    before, content = store.status(), store.dump()
    with refused(Ese.DATABASE_IN_USE):
        store.wipe_stream()
    store.dismount()
    store.wipe_stream()
    after = store.status()
    assert (after.generation, after.oldest) == (1, 0)
    assert after.signature != before.signature
    store.mount()
    assert store.dump() == content
    assert not store.status().records
    with refused(Ese.MISSING_FULL_BACKUP):
        save(store, Backup.LOGS_ONLY)


def test_a_roll_that_a_crash_cut_short_is_finished(store: Store) -> None:
    store.put(1, "before")
    directory = store.root / "g1"
    store.roll()
    (directory / "E00.log").unlink()
    store.put(2, "after")
    assert store.status().generation == 2
    assert head(directory / "E00.log").previous == head(logs(directory)[0]).created
    assert "before" in store.dump()
    assert "after" in store.dump()


def test_a_circular_group_loses_closed_logs_below_the_checkpoint_by_itself(store: Store) -> None:
    store.set_group(circular=1)
    store.write(100)
    now = store.status()
    assert now.generation > 4
    assert now.oldest == now.checkpoint == now.generation - 2


def test_a_circular_group_keeps_what_a_running_backup_will_read(store: Store) -> None:
    store.set_group(circular=1)
    store.write(60)
    session, instance = open_group(store, Backup.FULL)
    low = store.status().checkpoint
    store.write(100, seed=2)
    assert store.status().checkpoint > low
    assert store.status().oldest == low
    for database in instance.databases:
        session.read_database(database)
    for path in session.logs():
        session.read_file(path)
    session.end_instance(success=True)
    session.end()
    store.write(40, seed=3)
    assert store.status().oldest > low


def test_a_circular_group_has_only_fulls_and_copies(store: Store) -> None:
    store.foreign_backup("full")
    store.set_group(circular=1)
    with refused(Ese.LOGGING_DISABLED):
        store.foreign_backup("incremental")
    store.foreign_backup("full")
    store.foreign_backup("copy")


def test_names_of_any_kind_and_long_paths_are_served(store: Store) -> None:
    directory = "d" * 200
    store.add_group("Lang/ä (😀)", directory, log_size=5120)
    store.add_database("x" * 100, "f" * 90, "Lang/ä (😀)")
    store.write(30, group="Lang/ä (😀)")
    saved = save(store, Backup.FULL, group="Lang/ä (😀)")
    (path,) = saved.streams
    assert len(path) > 260
    _, instances = store.ese.prepare()
    assert [one.name for one in instances] == [GROUP, "Lang/ä (😀)"]
    first = instances[0].databases[0]
    assert (first.name, first.streams) == (MAILBOX, f"{store.root}/g1/mbx.edb\0\0\0")


def test_a_database_takes_transactions_of_its_new_stream(store: Store) -> None:
    store.write(200)
    store.dismount()
    store.wipe_stream()
    store.mount()
    for page in range(24):
        store.put(page, "of the new stream")
    store.dismount()
    assert store.dump().count("of the new stream") == 24
