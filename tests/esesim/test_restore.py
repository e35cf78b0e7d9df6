"""What comes back from a restore is the simulator's own dump, and only after the right logs."""

from __future__ import annotations

from pathlib import Path

from tests.esesim.client import Saved, put_back, restore, save
from tests.esesim.interface import Backup, Ese
from tests.esesim.refusals import refused
from tests.esesim.simulator import GROUP, MAILBOX, PUBLIC, Store


def busy(store: Store) -> Saved:
    """A Full of a store that is written to all the time."""
    store.write(60, seed=1)
    seeds = iter(range(100, 200))
    return save(store, Backup.FULL, truncate=True, during=lambda: store.write(25, seed=next(seeds), flush_percent=60))


def later_logs(store: Store, *, truncate: bool) -> Saved:
    store.write(30, seed=7)
    return save(store, Backup.LOGS_ONLY, truncate=truncate)


def test_a_full_of_a_busy_store_rolled_forward_by_its_live_logs_is_the_store_of_now(store: Store) -> None:
    full = busy(store)
    store.write(40, seed=2)
    now = store.dump()
    store.dismount()
    for path in full.streams:
        Path(path).write_bytes(b"")
    restore(store, [full])
    assert store.dump() == now
    assert store.status().states == {MAILBOX: ("mounted", "dirty"), PUBLIC: ("mounted", "dirty")}


def test_the_point_in_time_of_a_chain_is_the_dump_at_its_last_backup(store: Store) -> None:
    full = busy(store)
    incremental = later_logs(store, truncate=True)
    then = store.dump()
    store.write(30, seed=8)
    store.roll()
    assert store.dump() != then
    store.dismount()
    restore(store, [full, incremental], keep_logs=True)
    assert store.dump() == then
    store.write(10, seed=9)
    store.dismount()
    store.mount()
    assert store.dump() != then


def test_what_was_put_back_in_time_has_no_full_any_more(store: Store) -> None:
    full = busy(store)
    store.dismount()
    restore(store, [full], keep_logs=True)
    assert store.status().records == {}
    with refused(Ese.MISSING_FULL_BACKUP):
        save(store, Backup.LOGS_ONLY)
    store.write(5, seed=3)
    second = save(store, Backup.FULL, truncate=True)
    now = store.dump()
    store.dismount()
    restore(store, [second], keep_logs=True)
    assert store.dump() == now


def test_what_was_rolled_forward_to_now_keeps_its_chain(store: Store) -> None:
    """Its header is the copy's: it knows of the Fulls before this one."""
    busy(store)
    full = save(store, Backup.FULL)
    store.dismount()
    restore(store, [full])
    logs = later_logs(store, truncate=False)
    now = store.dump()
    store.dismount()
    restore(store, [full, logs], keep_logs=True)
    assert store.dump() == now


def test_the_copy_of_a_database_alone_cannot_be_mounted_and_is_not_its_content(store: Store) -> None:
    full = busy(store)
    now = store.dump()
    store.dismount()
    for path, content in full.streams.items():
        Path(path).write_bytes(content)
    assert "needs recovery" in store.dump()
    assert store.dump().replace(" (needs recovery)", "") != now
    with refused(Ese.DIRTY_SHUTDOWN):
        store.mount()


def test_every_log_of_the_range_is_needed_and_without_the_check_each_one_is_missed(store: Store) -> None:
    store.write(60, seed=1)
    page = iter(range(1000, 2000))
    full = save(store, Backup.FULL, truncate=True, during=lambda: store.put(next(page), "while it is read"))
    for _ in range(3):
        store.put(next(page), "later")
        store.roll()
    logs = save(store, Backup.LOGS_ONLY)
    now = store.dump()
    assert now.count("while it is read") == 2
    for missing in range(full.generations[0], logs.generations[-1]):  # the last one was empty when it was closed
        store.fault("replay_blindly", None)
        store.dismount()
        with refused(Ese.GIVEN_LOG_MISSING):
            restore(store, [full, logs], without=[missing], keep_logs=True)
        store.fault("replay_blindly")
        restore(store, [full, logs], without=[missing], keep_logs=True)
        assert store.dump() != now, f"generation {missing} was of no use"
    store.fault("replay_blindly", None)
    store.dismount()
    restore(store, [full, logs], keep_logs=True)
    assert store.dump() == now


def test_a_log_of_another_stream_is_refused(store: Store) -> None:
    full = busy(store)
    store.dismount()
    store.wipe_stream()
    store.mount()
    for _ in range(full.generations[-1] + 1):
        store.roll()
    stranger = save(store, Backup.FULL)
    name = list(full.logs)[-1]
    store.dismount()
    mixed = Saved(full.databases, full.streams, {**full.logs, name: stranger.logs[name]})
    with refused(Ese.GIVEN_LOG_BAD_SIGNATURE):
        restore(store, [mixed], keep_logs=True)


def test_a_log_that_does_not_follow_the_one_before_is_refused(store: Store) -> None:
    full = busy(store)
    names = list(full.logs)
    store.dismount()
    mixed = Saved(full.databases, full.streams, {**full.logs, names[1]: full.logs[names[0]]})
    with refused(Ese.GIVEN_LOG_NOT_CONTIGUOUS):
        restore(store, [mixed], keep_logs=True)


def test_a_cut_log_is_refused(store: Store) -> None:
    full = busy(store)
    name = list(full.logs)[-1]
    store.dismount()
    with refused(Ese.LOG_FILE_CORRUPT):
        restore(
            store, [Saved(full.databases, full.streams, {**full.logs, name: full.logs[name][:4096]})], keep_logs=True
        )


def test_live_logs_of_another_stream_stop_the_roll_forward(store: Store) -> None:
    full = busy(store)
    store.dismount()
    store.wipe_stream()
    store.mount()
    for _ in range(full.generations[-1] + 2):
        store.roll()
    store.dismount()
    with refused(Ese.EXISTING_LOG_BAD_SIGNATURE):
        restore(store, [full])


def test_live_logs_that_do_not_follow_stop_the_roll_forward(store: Store) -> None:
    full = busy(store)
    for seed in range(3):
        store.write(40, seed=seed)
        store.foreign_backup("full")
    store.dismount()
    with refused(Ese.EXISTING_LOG_NOT_CONTIGUOUS):
        restore(store, [full])


def test_leftovers_of_another_restore_are_refused(store: Store) -> None:
    full = busy(store)
    store.dismount()
    name = next(iter(full.logs))
    extra = name.replace(f"{full.generations[0]:08X}", f"{full.generations[-1] + 5:08X}")
    session = store.ese.restore(GROUP)
    path = Path(session.environment.log_path)
    session.close(abort=True)
    assert path.is_dir(), "an abort leaves the directory"
    (path / extra).write_bytes(full.logs[name])
    session = store.ese.restore(GROUP, str(path))
    put_back(session, full, path)
    with refused(Ese.EXISTING_LOG_NOT_CONTIGUOUS):
        session.complete(keep_logs=True)
    session.close()


def test_a_mounted_database_is_not_overwritten(store: Store) -> None:
    full = busy(store)
    with refused(Ese.DATABASE_IN_USE):
        restore(store, [full])
    store.dismount()
    session = store.ese.restore(GROUP)
    for database in full.databases:
        session.add_database(database)
        for path in database.paths:
            session.open_file(path)
    store.mount(MAILBOX)
    with refused(Ese.DATABASE_IN_USE):
        session.complete()
    session.close()


def test_every_file_must_be_announced(store: Store) -> None:
    full = busy(store)
    store.dismount()
    session = store.ese.restore(GROUP)
    for database in full.databases:
        for source, destination in zip(database.paths, session.add_database(database), strict=True):
            Path(destination).write_bytes(full.streams[source])
    with refused(Ese.FILE_NOT_FOUND):
        session.complete()
    with refused(Ese.FILE_NOT_FOUND):
        session.open_file("somebody.else")
    session.close()


def test_the_environment_comes_back_from_disk_as_it_was_saved(store: Store) -> None:
    full = busy(store)
    store.dismount()
    session = store.ese.restore(GROUP)
    for database in full.databases:
        session.add_database(database)
    for name in full.logs:
        session.open_file(name)
    known = session.environment
    assert (known.gen_low, known.gen_high) == (full.generations[0], full.generations[-1])
    assert (known.databases, known.source, known.log_base) == ([MAILBOX, PUBLIC], GROUP, "E00")
    assert known.sources == known.destinations == list(full.streams)
    session.save()
    session.close()
    assert (Path(known.log_path) / "restore.env").exists()
    assert store.ese.load_environment(known.log_path) == known
    session = store.ese.reopen(known.log_path)
    assert session.environment == known
    session.close()
    with refused(Ese.FILE_NOT_FOUND):
        store.ese.reopen(str(store.root))


def test_recovery_cleans_up_unless_it_is_to_keep_the_logs(store: Store) -> None:
    full = busy(store)
    store.dismount()
    path = restore(store, [full], keep_logs=True)
    assert sorted(one.name for one in path.iterdir()) == sorted(full.logs)
    store.dismount()
    store.wipe_stream()
    path = restore(store, [full])
    assert list(path.iterdir()) == []


def test_one_database_comes_back_while_the_other_goes_on(store: Store) -> None:
    full = busy(store)
    store.write(30, seed=3)
    now = store.dump()
    store.dismount(PUBLIC)
    restore(store, [full], only=[PUBLIC])
    assert store.dump() == now


def test_a_recovery_group_takes_what_carries_its_guid(store: Store) -> None:
    full = busy(store)
    then = store.dump(GROUP)
    store.write(30, seed=3)
    now = store.dump(GROUP)
    store.add_group("Recovery", "rsg", recovery=1, log_size=5120)
    for database in full.databases:
        store.add_database(database.name, f"r{len(database.name)}", "Recovery", database.guid.hex())
    store.dismount(group="Recovery")
    restore(store, [full], target="Recovery")
    assert store.dump("Recovery") == then.replace(GROUP, "Recovery")
    assert store.dump(GROUP) == now


def test_a_client_may_name_the_places_itself(store: Store, tmp_path: Path) -> None:
    full = busy(store)
    session = store.ese.restore(GROUP)
    path = Path(session.environment.log_path)
    for number, database in enumerate(full.databases):
        place = tmp_path / f"{number}.edb"
        session.add_database_at(database, place)
        session.open_file(str(place))
        place.write_bytes(full.streams[database.paths[0]])
    for log, content in full.logs.items():
        session.open_file(log)
        (path / log).write_bytes(content)
    session.complete()
    session.close()
    store.dismount()
    for number, database in enumerate(full.databases):
        (tmp_path / f"{number}.edb").replace(database.paths[0])
    store.mount()


def test_a_group_of_2003_restores_its_two_streams(store: Store) -> None:
    store.add_group("Old", "old", streams=2, digits=5, log_size=5120)
    store.add_database("Mail", "priv1", "Old")
    store.write(50, group="Old")
    full = save(store, Backup.FULL, group="Old", truncate=True)
    assert [Path(path).suffix for path in full.streams] == [".edb", ".stm"]
    assert {len(name) for name in full.logs} == {len("E0100001.log")}
    now = store.dump("Old")
    store.write(20, group="Old", seed=5)
    store.dismount(group="Old")
    restore(store, [full], source="Old", keep_logs=True)
    assert store.dump("Old") == now
