from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.catalog import Job, JobId, Period, PrunePlan, Retention, plan_delete, plan_prune
from filed.errors import CatalogError

DAY = 86400


def job(
    number: int,
    level: str = "F",
    base: int | None = None,
    *,
    status: str = "T",
    name: str = "etc",
    files: int = 1,
    start: int = 0,
) -> Job:
    return Job(
        job_id=JobId(number),
        job=f"{name}.{number}",
        name=name,
        client="here",
        type="B",
        level=level,
        status=status,
        start_time=start or number * DAY,
        end_time=number * DAY + 60,
        since=0,
        base_job_id=None if base is None else JobId(base),
        fileset_name="set",
        fileset_digest="fs",
        fileset_text="",
        vol_session_id=number,
        vol_session_time=1,
        files=files,
        bytes=0,
        read_bytes=0,
        errors=0,
        deleted=0,
        failure="",
    )


def numbers(plan: PrunePlan) -> list[int]:
    return sorted(one.job_id for one in plan.remove)


def plan(jobs: Sequence[Job], **rules: Any) -> PrunePlan:
    """Each Job on a Volume of its own, and each pair of Jobs on one more."""
    volumes = {one.job_id: (f"Vol-{one.job_id}", f"Pair-{one.job_id // 2}") for one in jobs}
    return plan_prune(jobs, volumes, Retention(**rules))


TWO_CHAINS = [job(1), job(2, "I", 1), job(3, "I", 2), job(4), job(5, "D", 4), job(6, "I", 5)]


def test_without_a_rule_only_failed_jobs_go() -> None:
    jobs = [job(1), job(2, "I", 1, status="f"), job(3, "I", 1), job(4, "I", 3, status="A")]
    assert numbers(plan(jobs)) == [2]


def test_the_last_fulls_stay_with_all_that_hangs_on_them() -> None:
    assert numbers(plan(TWO_CHAINS, keep_fulls=1)) == [1, 2, 3]
    assert numbers(plan(TWO_CHAINS, keep_fulls=2)) == []


def test_what_a_young_job_builds_on_stays_however_old() -> None:
    assert numbers(plan(TWO_CHAINS, keep_after=6 * DAY)) == [1, 2, 3]
    assert numbers(plan(TWO_CHAINS, keep_after=3 * DAY)) == []
    assert numbers(plan([job(1), job(2, "I", 1), job(3, "D", 1)], keep_after=3 * DAY)) == [2]


def test_a_job_goes_only_when_both_rules_let_it() -> None:
    assert numbers(plan(TWO_CHAINS, keep_after=2 * DAY, keep_fulls=1)) == []
    assert numbers(plan(TWO_CHAINS, keep_after=4 * DAY, keep_fulls=1)) == [1, 2, 3]


def test_backups_that_stopped_do_not_prune_themselves_away() -> None:
    assert numbers(plan(TWO_CHAINS, keep_after=1000 * DAY)) == [1, 2, 3]
    assert numbers(plan(TWO_CHAINS, keep_after=1000 * DAY, keep_fulls=0)) == [1, 2, 3]


def test_a_full_without_entries_takes_nobodys_place() -> None:
    jobs = [job(1), job(2, "I", 1), job(3, files=0), job(4, files=0), job(5, "I", 4, files=0)]
    assert numbers(plan(jobs, keep_fulls=1)) == [3, 4, 5]
    assert numbers(plan(jobs, keep_after=1000 * DAY)) == [3, 4, 5]


def test_the_order_of_jobs_counts_and_not_their_clocks() -> None:
    ahead = [job(1), job(2, start=5000 * DAY), job(3), job(4)]
    assert numbers(plan(ahead, keep_fulls=1)) == [1, 2, 3]
    assert numbers(plan(ahead, keep_after=4 * DAY, now=5 * DAY)) == [1, 2, 3]
    assert numbers(plan(ahead, keep_after=3 * DAY, now=5 * DAY)) == [1]
    behind = [job(1), job(9), job(10, start=1), job(11)]
    assert numbers(plan(behind, keep_after=5 * DAY, now=12 * DAY)) == [1]


def test_each_name_is_counted_for_itself() -> None:
    jobs = [job(1, name="a"), job(2, name="b"), job(3, name="a"), job(4, name="a")]
    assert numbers(plan(jobs, keep_fulls=1)) == [1, 3]


def test_failed_jobs_stay_until_a_good_one_follows() -> None:
    jobs = [job(1, status="f"), job(2, status="E"), job(3, name="other")]
    assert numbers(plan(jobs, keep_fulls=1)) == []
    assert numbers(plan([*jobs, job(4)], keep_fulls=1)) == [1, 2]


def test_running_jobs_stay_with_what_they_build_on() -> None:
    jobs = [job(1), job(2, "I", 1), job(3), job(4, "I", 2, status="R")]
    assert numbers(plan(jobs, keep_fulls=1)) == []


def test_a_volume_goes_when_its_last_job_goes() -> None:
    assert plan(TWO_CHAINS, keep_fulls=1).volumes == ("Pair-0", "Pair-1", "Vol-1", "Vol-2", "Vol-3")
    assert plan([job(1), job(2), job(3)], keep_fulls=2).volumes == ("Pair-0", "Vol-1")


def fulls_at(*times: str) -> list[Job]:
    """One each; local time, as `YYYY-MM-DD HH:MM`."""
    return [
        job(number, start=int(time.mktime(time.strptime(text, "%Y-%m-%d %H:%M"))))
        for number, text in enumerate(times, 1)
    ]


def test_the_newest_of_each_span_of_the_calendar_stays() -> None:
    jobs = fulls_at(
        "2024-12-31 22:00",
        "2025-11-03 01:00",
        "2025-11-30 01:00",
        "2025-12-01 01:10",
        "2025-12-01 01:50",
        "2025-12-02 03:00",
    )
    assert numbers(plan(jobs, keep_each={Period.HOUR: 2})) == [1, 2, 3, 4]
    assert numbers(plan(jobs, keep_each={Period.DAY: 3})) == [1, 2, 4]
    assert numbers(plan(jobs, keep_each={Period.WEEK: 2})) == [1, 2, 4, 5]  # 30 November is a Sunday
    assert numbers(plan(jobs, keep_each={Period.MONTH: 2})) == [1, 2, 4, 5]
    assert numbers(plan(jobs, keep_each={Period.YEAR: 9})) == [2, 3, 4, 5]
    assert numbers(plan(jobs, keep_each={Period.YEAR: 9, Period.DAY: 2})) == [2, 3, 4]


def test_spans_without_a_job_are_not_counted() -> None:
    jobs = fulls_at("2025-01-01 00:00", "2025-06-01 00:00", "2025-12-01 00:00")
    assert numbers(plan(jobs, keep_each={Period.DAY: 2})) == [1]


def test_the_last_stay_and_those_within_a_time_of_the_newest() -> None:
    jobs = [job(number) for number in range(1, 11)]
    assert numbers(plan(jobs, keep_last=3)) == [1, 2, 3, 4, 5, 6, 7]
    assert numbers(plan(jobs, keep_within=2 * DAY)) == [1, 2, 3, 4, 5, 6, 7]
    assert numbers(plan(jobs, keep_within=4 * DAY, keep_last=1)) == [1, 2, 3, 4, 5]


def test_one_without_entries_counts_for_no_rule() -> None:
    jobs = [job(1), job(2), job(3, files=0)]
    assert numbers(plan(jobs, keep_last=1)) == [1, 3]
    assert numbers(plan(jobs, keep_each={Period.DAY: 1})) == [1, 3]


def test_each_kept_job_has_its_reasons() -> None:
    jobs = [job(1), job(2, "I", 1), job(3, "I", 2), job(4, name="b"), job(5, status="f"), job(6, "I", 3, status="R")]
    assert plan(jobs, keep_last=1).kept == {
        6: ("it is running",),
        5: ("no good one came after it",),
        4: ("newest", "last"),
        3: ("newest", "last", "JobId 6 builds on it"),
        2: ("JobId 3 builds on it",),
        1: ("JobId 2 builds on it",),
    }


def test_a_named_job_goes_with_its_volumes_when_nothing_builds_on_it() -> None:
    volumes = {JobId(number): [f"Vol-{number}"] for number in range(1, 5)}
    jobs = [job(1), job(2, "I", 1), job(3, "I", 2), job(4, status="R")]
    result = plan_delete(jobs, volumes, {2, 3})
    assert (numbers(result), result.volumes) == ([2, 3], ("Vol-2", "Vol-3"))
    for chosen, why in (({2}, "JobId 3 builds on JobId 2"), ({4}, "is running"), ({9}, "is not in the catalog")):
        with pytest.raises(CatalogError, match=why):
            plan_delete(jobs, volumes, chosen)


STEPS = st.lists(
    st.tuples(st.sampled_from("FDIII"), st.sampled_from("TTTWfAER"), st.sampled_from("ab"), st.integers(0, 5)),
    max_size=25,
)


EACH = st.dictionaries(st.sampled_from(Period), st.integers(1, 4), max_size=2)
NUMBER = st.none() | st.integers(1, 4)


@given(STEPS, st.none() | st.integers(0, 30), NUMBER, EACH, NUMBER)
def test_no_kept_job_ever_loses_what_it_builds_on(
    steps: list, after: int | None, fulls: int | None, each: dict[Period, int], last: int | None
) -> None:
    jobs: list[Job] = []
    for number, (level, status, name, which) in enumerate(steps, 1):
        bases = [one for one in jobs if one.good and one.name == name and (level == "I" or one.level == "F")]
        base = None if level == "F" or not bases else bases[-1 - which % len(bases)].job_id
        jobs.append(job(number, "F" if base is None else level, base, status=status, name=name))
    policy = Retention(
        keep_after=None if after is None else after * DAY, keep_fulls=fulls, keep_each=each, keep_last=last
    )
    volumes = {one.job_id: [f"Vol-{one.job_id // 3}"] for one in jobs}
    result = plan_prune(jobs, volumes, policy)
    gone = {one.job_id for one in result.remove}
    kept = [one for one in jobs if one.job_id not in gone]
    assert set(result.kept) == {one.job_id for one in kept}
    assert all(result.kept.values()), "each kept Job has a reason"
    for one in kept:
        assert one.base_job_id not in gone
        assert not set(volumes[one.job_id]) & set(result.volumes)
    for one in result.remove:
        assert not one.running
        if one.good and after is not None:
            assert one.start_time < after * DAY
    for name in "ab":
        good = [one for one in jobs if one.good and one.name == name]
        assert not good or good[-1].job_id not in gone
        if fulls:
            assert not gone & {one.job_id for one in [one for one in good if one.level == "F"][-fulls:]}
        if last:
            assert not gone & {one.job_id for one in good[-last:]}
