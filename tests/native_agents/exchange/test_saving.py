"""What is saved of a storage group, under which names, and what the patterns and lines of a FileSet choose."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from filed.agents import Begin, Kind, Level
from filed.fileset import Options, Signature
from filed.process.outcome import JobStatus, Severity
from tests.esesim.client import open_group
from tests.esesim.compile import Built
from tests.esesim.interface import Backup
from tests.esesim.simulator import GROUP, MAILBOX, PUBLIC, Store
from tests.native_agents.exchange.driving import EVERYTHING, begun
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


def with_other_group(store: Store) -> None:
    store.add_group(OTHER, "g2", log_size=5120, base="E01")
    store.add_database("Archive", "archive", OTHER)
    store.write(40, 7, OTHER)


def test_a_full_saves_databases_logs_and_a_description_under_names_that_any_system_takes(jobs: Jobs) -> None:
    names = jobs.names(jobs.good())
    logs = [name for name in names if name.endswith(".log")]
    assert sorted(set(names) - set(logs)) == sorted(
        [
            f"{GROUP_PART}/",
            f"{GROUP_PART}/.filed-group",
            f"{GROUP_PART}/{MAILBOX}/",
            f"{GROUP_PART}/{MAILBOX}/mbx.edb",
            f"{GROUP_PART}/{PUBLIC_PART}/",
            f"{GROUP_PART}/{PUBLIC_PART}/pub (öffentlich).edb",
        ]
    )
    assert logs
    assert all(name.startswith(f"{GROUP_PART}/E00000000") for name in logs)


def test_an_incremental_saves_what_came_after_its_base_and_a_differential_what_came_after_the_full(jobs: Jobs) -> None:
    full = jobs.good()
    jobs.work()
    first = jobs.good(INCREMENTAL)
    jobs.work()
    second = jobs.good(INCREMENTAL)
    differential = jobs.good(DIFFERENTIAL)
    jobs.work()
    third = jobs.good(INCREMENTAL)
    ran = [jobs.generations(one) for one in (full, first, second, differential, third)]
    assert ran[0][-1] + 1 == ran[1][0]
    assert ran[1][-1] + 1 == ran[2][0]
    assert (ran[3][0], ran[3][-1]) == (ran[1][0], ran[2][-1] + 1)  # listing logs has closed one more
    assert ran[3][-1] + 1 == ran[4][0]
    assert not any(jobs.has_databases(one) for one in (first, second, differential, third))


def test_a_database_with_two_files_has_both(jobs: Jobs, store: Store) -> None:
    store.add_group(OTHER, "g2", log_size=5120, base="E01", streams=2)
    store.add_database("Mail 2003", "priv1", OTHER)
    store.write(20, 3, OTHER)
    names = jobs.names(jobs.good(files=[f"{ROOT}/{OTHER}"]))
    assert [name for name in names if name.startswith(f"{OTHER}/Mail 2003/p")] == [
        f"{OTHER}/Mail 2003/priv1.edb",
        f"{OTHER}/Mail 2003/priv1.stm",
    ]


@pytest.mark.parametrize("how", ["file", "plugin"])
def test_a_line_names_one_storage_group_or_one_database(jobs: Jobs, store: Store, how: str) -> None:
    with_other_group(store)

    def saved(path: str) -> list[str]:
        given = {"files": [path]} if how == "file" else {"plugins": [f"exchange:{path}"]}
        return [name for name in jobs.names(jobs.good(**given)) if name.endswith(".edb")]

    assert saved(f"{ROOT}/{OTHER}") == [f"{OTHER}/Archive/archive.edb"]
    assert saved(f"{ROOT}/{GROUP_PART}/{MAILBOX}") == [f"{GROUP_PART}/{MAILBOX}/mbx.edb"]
    assert len(saved("/@EXCHANGE/")) == 3


def test_a_line_that_names_what_is_not_there_fails_the_job_with_what_is(jobs: Jobs, store: Store) -> None:
    with_other_group(store)
    ran = jobs.backup(files=[f"{ROOT}/Third Storage Group"])
    assert ran.outcome.status is JobStatus.FATAL
    assert f"There are: {GROUP_PART}, {OTHER}" in ran.outcome.text
    ran = jobs.backup(plugins=[f"exchange:{ROOT}/{OTHER}/Mailboxes"])
    assert "There are: Archive" in ran.outcome.text
    assert "/@EXCHANGE" in jobs.backup(plugins=["exchange:/somewhere"]).outcome.text


def test_a_part_of_a_group_truncates_nothing_and_says_so(jobs: Jobs, store: Store) -> None:
    store.checkpoint(0)
    oldest = store.status().oldest
    ran = jobs.good(files=[f"{ROOT}/{GROUP_PART}/{MAILBOX}"])
    assert any("not all of its databases were asked for" in text for text in ran.texts(Severity.INFO))
    assert store.status().oldest == oldest


@pytest.mark.parametrize("pattern", [b"", b"*/mbx.edb"], ids=["log", "database"])
def test_a_fileset_that_leaves_out_one_file_truncates_nothing_and_says_so(
    jobs: Jobs, store: Store, pattern: bytes
) -> None:
    store.checkpoint(0)
    oldest = store.status().oldest
    newest = f"*/E00{store.status().generation:08X}.log".encode()
    options = Options(signature=Signature.MD5, wildfile=(pattern or newest,), exclude=True)
    ran = jobs.place.backup(jobs.plugin(), files=[b"/@EXCHANGE/"], options=options)
    assert "left out by the FileSet" in " ".join(warnings(ran))
    assert store.status().oldest == oldest
    assert jobs.good()
    assert store.status().oldest > oldest


def test_an_incremental_upon_a_full_that_left_a_database_out_truncates_nothing_and_says_so(
    jobs: Jobs, store: Store
) -> None:
    jobs.good()  # Exchange knows a Full of each
    options = Options(signature=Signature.MD5, wildfile=(b"*/mbx.edb",), exclude=True)
    plugin = jobs.plugin(truncate="full,incremental")
    jobs.place.backup(plugin, files=[b"/@EXCHANGE/"], options=options)
    oldest = store.status().oldest
    jobs.work()
    ran = jobs.place.backup(plugin, files=[b"/@EXCHANGE/"], options=options, level=INCREMENTAL)
    assert ran.outcome.status is JobStatus.WARNINGS, ran.messages
    assert not jobs.has_databases(ran)
    assert "the base has not all of its databases: no log is truncated" in " ".join(warnings(ran))
    assert store.status().oldest == oldest


def test_a_full_for_which_the_service_names_no_log_truncates_nothing_and_says_so(
    jobs: Jobs, store: Store, tmp_path: Path
) -> None:
    store.checkpoint(0)
    oldest = store.status().oldest
    store.fault("no_logs")
    ran = jobs.good()
    assert "named no log behind its databases" in " ".join(warnings(ran))
    assert jobs.generations(ran) == []
    assert store.status().oldest == oldest
    store.fault("no_logs", None)
    jobs.work()
    after = jobs.good(INCREMENTAL)  # stands upon nothing of it
    assert jobs.has_databases(after)
    content = store.dump()
    store.dismount()
    store.wipe_stream(GROUP)
    refused = jobs.restore(ran)
    assert refused.outcome.status is not JobStatus.OK
    assert "saved without a log" in " ".join(text for _, text in refused.messages)
    assert jobs.restore(ran, tmp_path / "out").outcome.status is JobStatus.OK
    assert jobs.restore(after).outcome.status is JobStatus.OK
    assert store.dump() == content


def test_where_no_database_is_wanted_no_log_is_missed(jobs: Jobs, store: Store) -> None:
    store.fault("no_logs")
    options = Options(signature=Signature.MD5, wildfile=(b"*.edb",), exclude=True)
    ran = jobs.place.backup(jobs.plugin(), files=[b"/@EXCHANGE/"], options=options)
    assert "named no log" not in " ".join(warnings(ran))
    assert "left out by the FileSet" in " ".join(warnings(ran))


def test_a_database_that_is_not_mounted_is_warned_about(jobs: Jobs, store: Store) -> None:
    store.dismount(PUBLIC)
    ran = jobs.backup()
    assert [text for text in warnings(ran) if "is not mounted" in text]
    assert [name for name in jobs.names(ran) if name.endswith(".edb")] == [f"{GROUP_PART}/{MAILBOX}/mbx.edb"]


def test_a_corrupt_page_ends_the_job_in_error(jobs: Jobs, store: Store) -> None:
    store.fault("fail.HrESEBackupReadFile", "2:C80003FA")
    ran = jobs.backup()
    assert ran.outcome.status is JobStatus.FATAL
    assert "a page of the database is corrupt" in ran.outcome.text
    assert not store.status().records


def test_a_group_that_another_product_saves_is_busy(jobs: Jobs, store: Store) -> None:
    session, _ = open_group(store, Backup.FULL)
    try:
        ran = jobs.backup()
    finally:
        session.end()
    assert ran.outcome.status is JobStatus.FATAL
    assert "BP_E_BUSY" in ran.outcome.text
    assert "another backup of it is running" in ran.outcome.text
    assert jobs.good()


def test_a_job_that_fails_leaves_exchange_as_it_was(jobs: Jobs, store: Store) -> None:
    store.checkpoint(0)
    before = store.status()
    store.fault("fail.HrESEBackupCloseFile", "2:C80003FE")
    assert jobs.backup().outcome.status is JobStatus.FATAL
    store.fault("fail.HrESEBackupCloseFile", None)
    after = store.status()
    assert (after.oldest, after.records) == (before.oldest, before.records)
    assert jobs.good(FULL)  # and no lock is left


def test_a_failing_truncation_is_a_warning_and_the_backup_is_good(jobs: Jobs, store: Store) -> None:
    store.fault("fail.HrESEBackupTruncateLogs", "1:C80003FE")
    ran = jobs.backup()
    assert ran.outcome.status in {JobStatus.OK, JobStatus.WARNINGS}
    assert "could not be truncated" in " ".join(warnings(ran))
    store.fault("fail.HrESEBackupTruncateLogs", None)
    jobs.work()
    again = jobs.good(INCREMENTAL)  # for Exchange it was a Copy
    assert "knows of no Full" in " ".join(warnings(again))
    assert jobs.has_databases(again)


def test_more_groups_than_may_stay_open_are_saved_and_the_first_is_not_truncated(jobs: Jobs, store: Store) -> None:
    with_other_group(store)
    for group in (GROUP, OTHER):
        store.checkpoint(0, group)
    oldest = [store.status(group).oldest for group in (GROUP, OTHER)]
    ran = jobs.backup(max_open_groups="1")
    assert "max-open-groups" in " ".join(warnings(ran))
    assert store.status(GROUP).oldest == oldest[0]
    assert store.status(OTHER).oldest > oldest[1]


def test_an_estimate_lists_databases_and_leaves_the_logs_alone(jobs: Jobs, store: Store) -> None:
    before = store.status().generation
    with begun(jobs, Begin(Kind.ESTIMATE, Level.FULL, fileset=EVERYTHING)) as (job, _):
        page = job.next_page()
        assert page is not None
        names = [name.decode() for name in page.names]
    assert sum(name.endswith(".edb") for name in names) == 2
    assert not any(name.endswith(".log") for name in names)
    assert store.status().generation == before


def test_nothing_of_the_library_is_kept(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulator: Built
) -> None:
    trace = tmp_path / "account"
    monkeypatch.setenv("ESESIM_ACCOUNT", str(trace))
    jobs.good()
    jobs.work()
    jobs.good(INCREMENTAL, truncate="full,incremental")
    done = subprocess.run([simulator.driver, trace, "account"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert trace.stat().st_size
