"""Lives of a server, told as steps; at the end everything is lost, restored, and compared with the simulator's own dump.

Capitals are Jobs of ours: F, D, I. Small words are what happens between them: another product's backups among it. Parts of a
group, a FileSet that leaves a log out, two sets in one recovery, one database alone: test_saving, test_restoring. A Director
that forgets a good Job, or never knew of it: test_continuing, test_histories.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing

import pytest

from filed.catalog import Level
from filed.process.outcome import JobStatus, Severity
from tests.esesim.simulator import GROUP, MAILBOX, PUBLIC, Store
from tests.native_agents.exchange.jobs import (
    DIFFERENTIAL,
    FULL,
    GROUP_PART,
    INCREMENTAL,
    OTHER,
    PUBLIC_PART,
    ROOT,
    Jobs,
    warnings,
)
from tests.native_agents.exchange.test_continuing import GAPS, rename_a_database
from tests.native_agents.exchange.test_restoring import lose_everything, recovered
from tests.system_agents.jobs import Ran

LEVELS = {"F": FULL, "D": DIFFERENTIAL, "I": INCREMENTAL}
GOOD = {JobStatus.OK, JobStatus.WARNINGS}


def fails(call: str, how: str) -> Callable[[Jobs], None]:
    """An Incremental in which a call of the library goes wrong."""

    def step(jobs: Jobs) -> None:
        jobs.store.fault(f"fail.{call}", how)
        jobs.backup(INCREMENTAL)
        jobs.store.fault(f"fail.{call}", None)

    return step


def dies_in_truncation(jobs: Jobs) -> None:
    """Of a Full, when one log is gone."""
    jobs.work(120)
    jobs.store.checkpoint()
    jobs.store.fault("die_in_truncate", 1)
    before = jobs.store.status().oldest
    ran = jobs.backup(FULL)
    assert ran.outcome.status is JobStatus.WARNINGS  # what was saved is safe
    assert "crashed (SIGKILL) in commit" in ran.outcome.text
    assert jobs.store.status().oldest == before + 1
    jobs.store.fault("die_in_truncate", None)


STEPS: dict[str, Callable[[Jobs], None]] = {
    "full": lambda jobs: jobs.store.foreign_backup("full"),
    "incremental": lambda jobs: jobs.store.foreign_backup("incremental"),
    "differential": lambda jobs: jobs.store.foreign_backup("differential"),
    "copy": lambda jobs: jobs.store.foreign_backup("copy"),
    "yesterday": lambda jobs: jobs.store.fault("clock_s", -86400),
    "unread": fails("HrESEBackupReadFile", "2:C80003FE"),
    "killed": fails("HrESEBackupReadFile", "2:die"),
    "uncommitted": fails("HrESEBackupTruncateLogs", "1:die"),
    "unrecorded": fails("HrESEBackupInstanceEnd", "1:die"),
    "halftruncated": dies_in_truncation,
}


def live(jobs: Jobs, script: str) -> Ran:
    """The last Job."""
    ran = None
    for word in script.split():
        jobs.work()
        jobs.store.checkpoint(1)
        if word in STEPS:
            STEPS[word](jobs)
            continue
        ran = jobs.backup(LEVELS[word])
        assert ran.outcome.status in GOOD, ran.messages
    assert ran is not None
    return ran


def comes_back(jobs: Jobs, ran: Ran, *groups: str, paths: Sequence[str] = ()) -> None:
    content = jobs.store.dump()
    jobs.work()
    lose_everything(jobs.store, *groups)
    recovered(jobs.restore(ran, paths=paths))
    assert jobs.store.dump() == content


def marked(jobs: Jobs, ran: Ran, *databases: str) -> list[str]:
    """What a person marks in the console: these databases and all logs."""
    paths = [os.fsdecode(path) for path in jobs.place.tree(ran.outcome.jobid)]
    directories = [f"{ROOT}/{GROUP_PART}/{name.replace('/', '%2F')}" for name in databases]
    return directories + [path for path in paths if path.endswith(".log")]


@pytest.mark.parametrize(
    ("policy", "script"),
    [
        ("full", "F I I"),
        ("full", "F D"),
        ("full", "F I copy I"),
        ("full", "F full D I"),
        ("full", "F incremental I"),
        ("full", "F differential D"),
        ("full,incremental", "F I I"),
        ("full,incremental", "F full I I"),
        ("full,incremental", "F I full F I"),
        ("full,incremental", "F I incremental D I"),
    ],
)
def test_every_level_makes_a_chain_that_comes_back_also_beside_another_product(
    jobs: Jobs, policy: str, script: str
) -> None:
    jobs.options["truncate"] = policy
    comes_back(jobs, live(jobs, script))


@pytest.mark.parametrize(
    "script",
    ["F unread I", "F I killed I", "F uncommitted I I", "F unrecorded D", "F I unrecorded I", "F halftruncated I"],
)
def test_a_job_that_fails_at_any_moment_leaves_no_hole(jobs: Jobs, script: str) -> None:
    jobs.options["truncate"] = "full,incremental"
    comes_back(jobs, live(jobs, script))


@pytest.mark.parametrize("policy", ["never", "full"])
def test_copies_alone_come_back(jobs: Jobs, policy: str) -> None:
    jobs.options["truncate"] = policy
    comes_back(jobs, live(jobs, "F I D" if policy == "never" else "F copy D copy I"))


def test_a_clock_a_day_back_decides_nothing(jobs: Jobs) -> None:
    ran = live(jobs, "F yesterday I I")
    assert any("The numbers decide" in text for text in ran.texts(Severity.INFO))
    comes_back(jobs, ran)


@pytest.mark.parametrize("kind", [kind for kind in GAPS if kind != "circular"])
def test_what_became_of_a_group_since_its_full_comes_back_with_the_next_incremental(jobs: Jobs, kind: str) -> None:
    live(jobs, "F I")
    GAPS[kind][0](jobs.store)
    jobs.work()
    ran = jobs.backup(INCREMENTAL)
    assert jobs.has_databases(ran)
    jobs.work()
    ran = jobs.good(INCREMENTAL)
    # A database without a Full of its own makes every set a complete one.
    assert jobs.has_databases(ran) == (kind in {"guid", "added"})
    comes_back(jobs, ran, paths=marked(jobs, ran, *jobs.store.status().states))


def test_the_databases_that_are_left_come_back_without_one_that_was_removed(jobs: Jobs, store: Store) -> None:
    live(jobs, "F I")
    store.dismount(PUBLIC)
    store.remove_database(PUBLIC)
    ran = live(jobs, "I")
    comes_back(jobs, ran, paths=marked(jobs, ran, MAILBOX))


def test_what_was_renamed_since_is_named_when_everything_is_restored_and_the_rest_comes_back_without_it(
    jobs: Jobs, store: Store
) -> None:
    live(jobs, "F I")
    rename_a_database(store)
    ran = live(jobs, "I")
    content = store.dump()
    lose_everything(store)
    restored = jobs.restore(ran)
    assert restored.outcome.status is JobStatus.FATAL
    assert f"{PUBLIC_PART} came from an older Job than the other databases" in restored.outcome.text
    assert not [text for text in warnings(restored) if "logpath" in text]  # further logs are no way on
    recovered(jobs.restore(ran, paths=marked(jobs, ran, MAILBOX, "Renamed")))
    assert store.dump() == content


@pytest.mark.parametrize("change", ["delete from agent_state", "update agent_state set blob = x'00'"])
def test_a_marker_that_is_lost_or_corrupt_is_a_gap_and_comes_back(jobs: Jobs, change: str) -> None:
    live(jobs, "F I")
    with closing(sqlite3.connect(jobs.place.volumes / "catalog.sqlite")) as catalog, catalog:
        assert catalog.execute(change).rowcount
    jobs.work()
    ran = jobs.good(INCREMENTAL)
    assert "A complete set is saved instead" in " ".join(warnings(ran))
    comes_back(jobs, ran)


@pytest.mark.parametrize(("phase", "level"), [("databases", FULL), ("logs", INCREMENTAL)])
def test_a_cancel_is_obeyed_and_leaves_exchange_as_it_was(jobs: Jobs, store: Store, phase: str, level: Level) -> None:
    live(jobs, "F I")
    jobs.work(300)
    store.fault("read_delay_ms", 50)
    before = store.status()

    def now() -> bool:
        return phase == "databases" or store.status().generation > before.generation

    plugin = jobs.plugin(truncate="full,incremental")
    ran = jobs.place.backup(plugin, files=[b"/@EXCHANGE/"], level=level, stop=now)
    assert ran.outcome.status is JobStatus.CANCELED
    store.fault("read_delay_ms", None)
    after = store.status()
    assert (after.oldest, after.records) == (before.oldest, before.records)
    assert (after.generation > before.generation) == (phase == "logs")
    comes_back(jobs, live(jobs, "I"))


def test_two_groups_of_which_the_second_fails_keep_their_chains(jobs: Jobs, store: Store) -> None:
    store.add_group(OTHER, "g2", log_size=5120, base="E01")
    store.add_database("Archive", "archive", OTHER)
    jobs.options["truncate"] = "full,incremental"
    store.write(40, 3, OTHER)
    live(jobs, "F")
    store.write(60, 4, OTHER)
    jobs.work()
    store.checkpoint()
    before = store.status()
    store.fault("fail.HrESEBackupGetLogAndPatchFiles", "2:C80003FE")
    ran = jobs.backup(INCREMENTAL)
    assert ran.outcome.status is JobStatus.FATAL
    assert OTHER in ran.outcome.text
    store.fault("fail.HrESEBackupGetLogAndPatchFiles", None)
    after = store.status()
    assert (after.oldest, after.records) == (before.oldest, before.records)
    comes_back(jobs, live(jobs, "I"), GROUP, OTHER)


def test_a_backup_while_mailboxes_are_at_work_is_the_state_of_one_moment(jobs: Jobs, store: Store) -> None:
    """What comes back is what the first N transactions made, whichever N it was."""
    first = 1 + max(int(number) for number in re.findall(r"transaction (\d+):", store.dump()))
    written: list[tuple[int, str]] = []
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            page, content = 100 + len(written) * 7 % 50, f"letter {len(written)}"
            store.put(page, content, flush=len(written) % 3 == 0)
            written.append((page, content))

    mailbox = threading.Thread(target=work)
    mailbox.start()
    try:
        jobs.good()
        ran = jobs.good(INCREMENTAL)
    finally:
        done.set()
        mailbox.join()
    lose_everything(store)
    recovered(jobs.restore(ran))
    found = {
        int(page): content
        for page, content in re.findall(r"^  page (1\d\d) transaction \d+: (.*)$", store.dump(), re.MULTILINE)
    }
    count = 1 + max(int(number) for number in re.findall(r"transaction (\d+):", store.dump())) - first
    assert 0 < count < len(written)
    assert found == dict(written[:count])
    assert MAILBOX in store.dump()
