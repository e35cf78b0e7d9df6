"""Which logs continue a base: by Exchange's numbers. When none do, a complete set, or an error; and what is truncated when."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from filed.agents import Severity as AgentSeverity
from filed.agents import StateWhy
from filed.errors import AgentError
from filed.process.outcome import JobStatus, Severity
from tests.esesim.simulator import GROUP, MAILBOX, PUBLIC, Store
from tests.native_agents.exchange.driving import begun, incremental
from tests.native_agents.exchange.jobs import DIFFERENTIAL, FULL, INCREMENTAL, Jobs, warnings


def change_guid(store: Store) -> None:
    store.dismount(PUBLIC)
    store.remove_database(PUBLIC)
    store.add_database(PUBLIC, "pub (öffentlich)")


def begin_stream_anew(store: Store) -> None:
    store.dismount()
    store.wipe_stream()
    store.mount()
    store.write(30, 5)
    store.foreign_backup("full")


def truncate_by_another(store: Store) -> None:
    store.write(60, 5)
    store.checkpoint(0)
    store.foreign_backup("full")


def lose_a_log(store: Store) -> None:
    store.write(60, 5)
    newest = store.status().newest
    (store.root / "g1" / f"E00{newest - 1:08X}.log").unlink()


def add_a_database(store: Store) -> None:
    store.add_database("New Store", "new")


def rename_a_database(store: Store) -> None:
    store.dismount(PUBLIC)
    store.rename_database(PUBLIC, "Renamed")
    store.mount("Renamed")


def switch_to_circular_logging(store: Store) -> None:
    store.set_group(circular=1)


GAPS = {
    "guid": (change_guid, "another one than in the base, by its GUID"),
    "signature": (begin_stream_anew, "they were started over"),
    "truncated": (truncate_by_another, "another product, or an Incremental, has truncated"),
    "added": (add_a_database, "was made, renamed or mounted since"),
    "renamed": (rename_a_database, "was made, renamed or mounted since"),
    "circular": (switch_to_circular_logging, "circular logging is on"),
}


@pytest.mark.parametrize("kind", GAPS)
def test_a_gap_becomes_a_complete_set_with_the_reason_and_no_truncation(jobs: Jobs, store: Store, kind: str) -> None:
    change, reason = GAPS[kind]
    jobs.good()
    jobs.work()
    change(store)
    before = store.status()
    ran = jobs.good(INCREMENTAL, truncate="full,incremental")
    (told,) = warnings(ran)
    assert reason in told
    assert "run a Full soon" in told
    assert jobs.has_databases(ran)
    assert store.status().oldest == before.oldest or kind == "circular"
    assert store.status().records.get((MAILBOX, "full")) == before.records.get((MAILBOX, "full"))


@pytest.mark.parametrize("kind", ["guid", "truncated"])
def test_a_gap_fails_the_job_when_that_is_asked_for(jobs: Jobs, store: Store, kind: str) -> None:
    change, reason = GAPS[kind]
    jobs.good()
    change(store)
    ran = jobs.backup(INCREMENTAL, on_gap="fail")
    assert ran.outcome.status is JobStatus.FATAL
    assert reason in ran.outcome.text
    assert "Run a Full" in ran.outcome.text
    assert jobs.good()  # no session was left open


def test_a_log_lost_in_the_middle_is_never_papered_over(jobs: Jobs, store: Store) -> None:
    jobs.good()
    lose_a_log(store)
    ran = jobs.backup(INCREMENTAL)
    assert ran.outcome.status is JobStatus.FATAL or jobs.has_databases(ran)


def test_after_a_complete_set_logs_alone_go_on_from_it(jobs: Jobs, store: Store) -> None:
    jobs.good()
    truncate_by_another(store)
    gap = jobs.good(INCREMENTAL)
    jobs.work()
    after = jobs.good(INCREMENTAL)
    assert jobs.has_databases(gap)
    assert not jobs.has_databases(after)
    assert jobs.generations(after)[0] == jobs.generations(gap)[-1] + 1


def test_a_job_of_which_nothing_is_known_is_no_base(jobs: Jobs) -> None:
    jobs.good(files=["/@EXCHANGE/"])
    ran = jobs.place.backup(jobs.plugin(), plugins=["exchange:/@EXCHANGE"], level=INCREMENTAL, name="Other")
    assert ran.outcome.level == "Full"  # the host upgrades a Job without any base


def test_a_database_that_is_gone_is_no_gap(jobs: Jobs, store: Store) -> None:
    jobs.good()
    store.dismount(PUBLIC)
    store.remove_database(PUBLIC)
    jobs.work()
    assert not jobs.has_databases(jobs.good(INCREMENTAL))


@pytest.mark.parametrize(
    ("truncate", "after_full", "after_incremental"),
    [("full", True, False), ("full,incremental", True, True), ("never", False, False)],
)
def test_the_policy_says_after_which_levels_logs_go(
    jobs: Jobs, store: Store, truncate: str, *, after_full: bool, after_incremental: bool
) -> None:
    jobs.options["truncate"] = truncate

    def truncates(level: Callable[[], object]) -> bool:
        jobs.work()
        store.checkpoint(0)
        oldest = store.status().oldest
        level()
        return store.status().oldest > oldest

    assert truncates(jobs.good) is after_full
    assert truncates(lambda: jobs.good(INCREMENTAL)) is after_incremental
    assert truncates(lambda: jobs.good(DIFFERENTIAL)) is False


def test_copies_alone_leave_no_base_that_exchange_knows(jobs: Jobs) -> None:
    jobs.options["truncate"] = "never"
    jobs.good()
    jobs.work()
    ran = jobs.good(INCREMENTAL)
    assert "Exchange knows of no Full backup" in " ".join(warnings(ran))
    assert jobs.has_databases(ran)


def test_a_plugin_line_may_ask_for_a_copy(jobs: Jobs, store: Store) -> None:
    jobs.good(plugins=["exchange:/@EXCHANGE:notrunconfull"])
    assert store.status().records.keys() == {(MAILBOX, "copy"), (PUBLIC, "copy")}
    ran = jobs.backup(plugins=["exchange:/@EXCHANGE:truncate=sometimes"])
    assert "truncate: sometimes is no value" in ran.outcome.text


def test_a_differential_after_truncating_incrementals_is_a_complete_set(jobs: Jobs, store: Store) -> None:
    jobs.options["truncate"] = "full,incremental"
    jobs.good()
    jobs.work()
    store.checkpoint(0)
    jobs.good(INCREMENTAL)
    ran = jobs.good(DIFFERENTIAL)
    assert "an Incremental, has truncated" in " ".join(warnings(ran))
    assert jobs.has_databases(ran)


def test_the_levels_are_what_exchange_takes_them_for(jobs: Jobs, store: Store) -> None:
    def kinds() -> set[str]:
        return {kind for database, kind in store.status().records if database == MAILBOX}

    jobs.good()
    assert kinds() == {"full"}
    jobs.good(INCREMENTAL)
    assert kinds() == {"full", "differential"}
    jobs.good(INCREMENTAL, truncate="full,incremental")
    assert "incremental" in kinds()
    jobs.good(truncate="never")
    assert "copy" in kinds()


def test_where_the_directors_time_says_otherwise_the_numbers_decide_and_it_is_told(jobs: Jobs, store: Store) -> None:
    jobs.good()
    store.fault("clock_s", -86400)
    jobs.work()
    ran = jobs.good(INCREMENTAL)
    assert len(jobs.generations(ran)) > 2
    told = [text for text in ran.texts(Severity.INFO) if "by the Director's time" in text]
    assert len(told) == 1
    assert "The numbers decide" in told[0]


@pytest.mark.parametrize("state", [b"", b"something else", b"filed-exchange 2\n", b"filed-exchange 1\ngroup x\n"])
def test_a_state_that_cannot_be_read_is_no_base(jobs: Jobs, state: bytes) -> None:
    with pytest.raises(AgentError) as refused, begun(jobs, incremental(state, 1)):
        pass
    assert "BP_E_BASE" in str(refused.value)
    with pytest.raises(AgentError, match="another version"), begun(jobs, incremental(b"filed-exchange 1\n", 2)):
        pass


@pytest.mark.parametrize("why", [StateWhy.LOST, StateWhy.FIRST, StateWhy.UNNAMED, StateWhy.RESTORED, StateWhy.GAP])
def test_without_a_state_everything_is_saved_and_the_reason_told(jobs: Jobs, why: StateWhy) -> None:
    with begun(jobs, incremental(b"", 0, why)) as (job, host):
        page = job.next_page()
        assert page is not None
        assert sum(name.endswith(b".edb") for name in page.names) == 2
    assert [severity for severity, text in host.messages if "gap after generation 0" in text] == [AgentSeverity.WARNING]


def test_a_job_whose_base_was_not_the_newest_one_starts_behind_the_base(jobs: Jobs, store: Store) -> None:
    """The Director forgets a good Job: the one before is named again."""
    full = jobs.good()
    jobs.work()
    with begun(jobs, incremental(*sealed(jobs, full))) as (job, _):
        first = [name for name in (job.next_page() or []) if name]
    jobs.good(INCREMENTAL)
    with begun(jobs, incremental(*sealed(jobs, full))) as (job, _):
        again = [name for name in (job.next_page() or []) if name]
    assert [name for _, name in first if name.endswith(b".log")] == [
        name for _, name in again if name.endswith(b".log")
    ][: len(first)]
    assert store.status(GROUP).oldest >= 1


def sealed(jobs: Jobs, ran: object) -> tuple[bytes, int]:
    """The state that a Job has left."""
    from filed.catalog import Catalog

    with Catalog.read(jobs.place.volumes) as catalog:
        state = catalog.find_state(ran.job.job, "exchange", "", ran.job.fileset_digest).state
    assert state is not None
    return state.blob, state.format


def test_a_full_takes_no_notice_of_a_state(jobs: Jobs) -> None:
    jobs.good()
    assert jobs.has_databases(jobs.good(FULL))
