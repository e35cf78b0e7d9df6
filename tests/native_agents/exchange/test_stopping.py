"""Jobs that are cancelled, that die, and groups of which one fails: what Exchange is left with, and the next Job."""

from __future__ import annotations

import time

import pytest

from filed.job.outcome import JobStatus
from tests.esesim.simulator import GROUP, Store
from tests.native_agents.exchange.jobs import INCREMENTAL, OTHER, Jobs
from tests.native_agents.exchange.test_restoring import lose_everything, recovered


@pytest.mark.parametrize("moment", [0, 3], ids=["databases", "logs"])
def test_a_cancel_is_obeyed_at_once_and_leaves_exchange_as_it_was(jobs: Jobs, store: Store, moment: int) -> None:
    store.checkpoint(0)
    before = store.status()
    store.fault("read_delay_ms", 300)
    store.fault("short_reads", 5)
    asked: list[float] = []

    def stop() -> bool:
        asked.append(time.monotonic())
        return len(asked) > moment

    ran = jobs.place.backup(jobs.plugin(), files=[b"/@EXCHANGE/"], stop=stop)
    assert ran.outcome.status is JobStatus.CANCELED
    assert ran.answered_s < 5
    for switch in ("read_delay_ms", "short_reads"):
        store.fault(switch, None)
    after = store.status()
    assert (after.oldest, after.records) == (before.oldest, before.records)
    jobs.good()


@pytest.mark.parametrize(
    ("call", "when"),
    [("HrESEBackupGetLogAndPatchFiles", 1), ("HrESEBackupTruncateLogs", 1), ("HrESEBackupInstanceEnd", 1)],
)
def test_a_death_at_any_step_makes_no_hole(jobs: Jobs, store: Store, call: str, when: int) -> None:
    """Dying in commit: the data is safe, Exchange has not heard of it."""
    jobs.good()
    jobs.work()
    store.checkpoint(0)
    store.fault(f"fail.{call}", f"{when}:die")
    ran = jobs.backup()
    in_commit = call != "HrESEBackupGetLogAndPatchFiles"
    assert ran.outcome.status is (JobStatus.WARNINGS if in_commit else JobStatus.FATAL)
    store.fault(f"fail.{call}", None)
    jobs.work()
    last = jobs.good(INCREMENTAL)
    content = store.dump()
    lose_everything(store)
    recovered(jobs.restore(last))
    assert store.dump() == content


def test_dying_amid_truncation_leaves_a_chain_that_goes_on(jobs: Jobs, store: Store) -> None:
    jobs.good()
    jobs.work()
    store.checkpoint(0)
    store.fault("die_in_truncate", 1)
    assert jobs.backup().outcome.status is JobStatus.WARNINGS
    store.fault("die_in_truncate", None)
    jobs.work()
    last = jobs.good(INCREMENTAL)
    content = store.dump()
    lose_everything(store)
    recovered(jobs.restore(last))
    assert store.dump() == content


def test_of_two_groups_the_second_fails_and_the_first_is_not_truncated_either(jobs: Jobs, store: Store) -> None:
    store.add_group(OTHER, "g2", log_size=5120, base="E01")
    store.add_database("Archive", "archive", OTHER)
    for group in (GROUP, OTHER):
        store.write(40, 9, group)
        store.checkpoint(0, group)
    before = store.status(GROUP)
    store.fault("fail.HrESEBackupSetup", "2:C8000203")
    ran = jobs.backup()
    assert ran.outcome.status is JobStatus.FATAL
    assert OTHER in ran.outcome.text
    store.fault("fail.HrESEBackupSetup", None)
    assert (store.status(GROUP).oldest, store.status(GROUP).records) == (before.oldest, before.records)
    jobs.good()
