"""Restores: through Exchange with hard recovery, and to plain files. What comes back is compared by content, not by files."""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.process.outcome import JobStatus, Severity
from tests.esesim.simulator import GROUP, MAILBOX, PUBLIC, Store
from tests.native_agents.exchange.jobs import (
    DIFFERENTIAL,
    GROUP_PART,
    INCREMENTAL,
    OTHER,
    PUBLIC_PART,
    ROOT,
    Jobs,
    warnings,
)
from tests.native_agents.exchange.test_continuing import truncate_by_another
from tests.system_agents.jobs import Ran


def lose_everything(store: Store, *groups: str) -> None:
    """The databases' disk is gone, and with it the logs: what is restored is all there is."""
    for group in groups or (GROUP,):
        store.dismount(group=group)
        store.wipe_stream(group)


def recovered(ran: Ran) -> None:
    assert ran.outcome.status is JobStatus.OK, ran.messages
    assert any("recovered" in text and "databases mounted" in text for text in ran.texts(Severity.INFO))


def test_a_full_comes_back_with_what_was_written_until_its_end(jobs: Jobs, store: Store) -> None:
    store.fault("short_reads", 17)
    store.fault("got_is_word")
    ran = jobs.good()
    content = store.dump()
    jobs.work()
    assert store.dump() != content
    lose_everything(store)
    recovered(jobs.restore(ran))
    assert store.dump() == content
    assert all(state == "mounted" for state, _ in store.status().states.values())


@pytest.mark.parametrize("policy", ["full", "full,incremental"])
def test_a_chain_comes_back_as_it_was_at_each_of_its_jobs(jobs: Jobs, store: Store, policy: str) -> None:
    jobs.options["truncate"] = policy
    jobs.good()
    points = []
    for level in (INCREMENTAL, DIFFERENTIAL, INCREMENTAL):
        jobs.work()
        ran = jobs.good(level)
        points.append((ran, store.dump()))
    for ran, content in reversed(points):
        lose_everything(store)
        recovered(jobs.restore(ran))
        assert store.dump() == content


def test_after_a_gap_the_complete_set_comes_back_and_older_logs_are_left_out(jobs: Jobs, store: Store) -> None:
    jobs.good()
    jobs.work()
    jobs.good(INCREMENTAL)
    truncate_by_another(store)
    jobs.good(INCREMENTAL)
    jobs.work()
    ran = jobs.good(INCREMENTAL)
    content = store.dump()
    lose_everything(store)
    restored = jobs.restore(ran)
    recovered(restored)
    assert any("are not needed" in text for text in restored.texts(Severity.INFO))
    assert store.dump() == content


def test_a_restore_goes_on_with_the_logs_that_are_still_there(jobs: Jobs, store: Store) -> None:
    ran = jobs.good()
    jobs.work()
    content = store.dump()
    store.dismount()
    (store.root / "g1" / "mbx.edb").unlink()
    recovered(jobs.restore(ran))
    assert store.dump() == content


def test_one_database_of_a_group_is_restored_with_the_logs(jobs: Jobs, store: Store) -> None:
    ran = jobs.good()
    content = store.dump()
    lose_everything(store)
    store.mount(PUBLIC)
    logs = [f"{ROOT}/{name}" for name in jobs.names(ran) if name.endswith(".log")]
    recovered(jobs.restore(ran, paths=[f"{ROOT}/{GROUP_PART}/{MAILBOX}", *logs]))
    part = content[content.index(MAILBOX) :].split(PUBLIC)[0]
    assert part in store.dump()


def test_two_groups_come_back_in_one_job(jobs: Jobs, store: Store) -> None:
    store.add_group(OTHER, "g2", log_size=5120, base="E01")
    store.add_database("Archive", "archive", OTHER)
    store.write(40, 3, OTHER)
    ran = jobs.good()
    content = store.dump()
    lose_everything(store, GROUP, OTHER)
    recovered(jobs.restore(ran))
    assert store.dump() == content


def test_a_database_in_use_is_told_and_nothing_is_written(jobs: Jobs, store: Store) -> None:
    ran = jobs.good()
    before = (store.root / "g1" / "mbx.edb").read_bytes()
    restored = jobs.restore(ran)
    assert restored.outcome.status is JobStatus.FATAL
    assert "dismount it" in restored.outcome.text
    assert (store.root / "g1" / "mbx.edb").read_bytes() == before


def test_without_recovery_the_second_of_two_jobs_goes_on(jobs: Jobs, store: Store) -> None:
    full = jobs.good()
    jobs.work()
    ran = jobs.good(INCREMENTAL)
    content = store.dump()
    lose_everything(store)
    first = jobs.restore(full, recover="no")
    assert first.outcome.status is JobStatus.OK, first.messages
    log_path = store.root / "restore" / "g1-1"
    assert any(str(log_path) in text and "eseutil /cc" in text for text in first.texts(Severity.INFO))
    assert (log_path / "restore.env").exists()
    logs = [f"{ROOT}/{name}" for name in jobs.names(ran) if name.endswith(".log")]
    recovered(jobs.restore(ran, paths=logs, logpath=str(log_path)))
    assert store.dump() == content
    assert not (log_path / "restore.env").exists()


def test_a_missing_log_is_told_and_the_way_on_is_left_open(jobs: Jobs, store: Store) -> None:
    full = jobs.good()
    for _ in range(2):
        jobs.work()
        ran = jobs.good(INCREMENTAL)
    content = store.dump()
    lose_everything(store)
    first, *others = jobs.generations(ran)
    wanted = [f"{ROOT}/{name}" for name in jobs.names(full) if name.endswith((".log", ".edb"))]
    wanted += [f"{ROOT}/{GROUP_PART}/E00{generation:08X}.log" for generation in [first, *others]]
    restored = jobs.restore(ran, paths=wanted)
    assert restored.outcome.status is JobStatus.FATAL
    assert "are missing" in restored.outcome.text
    log_path = store.root / "restore" / "g1-1"
    assert any(str(log_path) in text for text in warnings(restored))
    assert (log_path / "restore.env").exists()
    missing = range(jobs.generations(full)[-1] + 1, first)
    rest = [f"{ROOT}/{GROUP_PART}/E00{generation:08X}.log" for generation in missing]
    store.write(1)
    again = jobs.restore(ran, paths=rest, logpath=str(log_path))
    recovered(again)
    assert store.dump() == content


def test_logs_are_kept_when_that_is_asked_for(jobs: Jobs, store: Store) -> None:
    ran = jobs.good()
    lose_everything(store)
    recovered(jobs.restore(ran, keep_logs="yes"))
    kept = sorted(path.name for path in (store.root / "restore" / "g1-1").glob("E00*.log"))
    assert kept == [f"E00{generation:08X}.log" for generation in jobs.generations(ran)]


def test_another_group_can_be_the_target(jobs: Jobs, store: Store) -> None:
    guid = "11223344556677889900AABBCCDDEEFF"
    store.add_group(OTHER, "g2", log_size=5120, base="E01")
    store.add_database("Archive", "archive", OTHER, guid)
    store.write(40, 3, OTHER)
    ran = jobs.good(files=[f"{ROOT}/{OTHER}"])
    content = store.dump(OTHER).splitlines()
    store.add_group("Recovery", "rsg", log_size=5120, base="R00", recovery=1)
    store.add_database("Archive", "archive", "Recovery", guid)
    store.dismount(group="Recovery")
    jobs.work(group=OTHER)
    now = store.dump(OTHER)
    recovered(jobs.restore(ran, target="Recovery"))
    assert store.dump(OTHER) == now
    assert store.dump("Recovery").splitlines()[1:] == content[1:]


def test_plain_files_need_no_exchange(jobs: Jobs, store: Store, tmp_path: Path) -> None:
    full = jobs.good()
    jobs.work()
    ran = jobs.good(INCREMENTAL)
    jobs.options["library"] = "/nowhere/esebcli2.dll"
    restored = jobs.restore(ran, tmp_path / "out")
    assert restored.outcome.status is JobStatus.OK, restored.messages
    group = tmp_path / "out" / ROOT[1:] / GROUP_PART
    logs = sorted(path.name for path in group.glob("*.log"))
    assert logs == [f"E00{generation:08X}.log" for generation in [*jobs.generations(full), *jobs.generations(ran)]]
    assert (group / logs[-1]).read_bytes() == (store.root / "g1" / logs[-1]).read_bytes()
    assert (group / PUBLIC_PART / "pub (öffentlich).edb").stat().st_size > 0
    description = (group / ".filed-group").read_text()
    assert description.startswith("filed-exchange 1\n")
    assert f"group {GROUP_PART}\n" in description


def test_a_service_that_wants_to_write_by_itself_is_refused(jobs: Jobs, store: Store) -> None:
    ran = jobs.good()
    lose_everything(store)
    store.fault("open_answers_ok")
    restored = jobs.restore(ran)
    assert restored.outcome.status is JobStatus.FATAL
    assert "wants to write it itself" in restored.outcome.text


def test_a_failing_recovery_says_how_to_go_on(jobs: Jobs, store: Store) -> None:
    ran = jobs.good()
    content = store.dump()
    lose_everything(store)
    store.fault("fail.HrESERestoreComplete", "1:C80003FE")
    restored = jobs.restore(ran)
    assert restored.outcome.status is JobStatus.FATAL
    assert any("eseutil /cc" in text for text in warnings(restored))
    store.fault("fail.HrESERestoreComplete", None)
    recovered(jobs.restore(ran))
    assert store.dump() == content
