"""What the contract has since 1.1, in whole Jobs."""

from __future__ import annotations

import fcntl
import itertools
import os
import threading
from pathlib import Path

import pytest

from filed.catalog import Catalog, Level
from filed.fileset import FileSet, Include, Options
from filed.job.agents.holds import Hold
from filed.job.description import Changes, DirectorJob, EstimateJob
from filed.job.process import start_job
from filed.job.setup import default_setup
from filed.process.outcome import JobStatus, Severity
from tests.agents.compile import compile_agent
from tests.system_agents.jobs import Place, Ran, line

TODAY, OTHER = b"/@TODAY/", b"/@OTHER/"


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("agents")
    compile_agent("today.c", directory, "today")
    compile_agent("today.c", directory, "other", ['ID="other"', 'PLACE="/@OTHER/"', "SECONDS=1"])
    return directory


@pytest.fixture
def place(agents: Path, tmp_path: Path) -> Place:
    return Place(tmp_path / "volumes", (agents,))


def saved(place: Place, level: Level = Level.FULL, **options: str) -> Ran:
    return place.backup(line("today", **options), files=[TODAY], level=level)


def began(ran: Ran) -> str:
    (text,) = (text for text in ran.texts() if "from record" in text)
    return text.removeprefix("today: ")


# ---- states ------------------------------------------------------------------------------------------------------


def test_a_gap_found_after_the_first_entry_leaves_a_good_job_without_a_state(place: Place) -> None:
    saved(place)
    gap = saved(place, Level.INCREMENTAL, upto="5", gap="yes")
    assert (gap.outcome.status, gap.outcome.totals.files) == (JobStatus.WARNINGS, 2)
    (warning,) = gap.texts(Severity.WARNING)
    assert "something may have been missed while it listed; no state of it is kept" in warning
    after = saved(place, Level.INCREMENTAL, upto="6")
    assert after.outcome.totals.files == 6  # all, since nobody knows what was missed
    assert saved(place, Level.INCREMENTAL, upto="7").outcome.totals.files == 1


def test_the_lowest_watermark_that_a_job_may_still_name_comes_back(place: Place) -> None:
    """Two Fulls back, since a Director may fail the newest; what is older is needed by none."""
    assert began(saved(place, upto="1")) == "from record 1 on; the log is needed from 0 on"
    assert began(saved(place, Level.INCREMENTAL, upto="2")) == "from record 2 on; the log is needed from 2 on"
    assert began(saved(place, upto="3")) == "from record 1 on; the log is needed from 2 on"
    assert began(saved(place, upto="4")) == "from record 1 on; the log is needed from 2 on"
    assert began(saved(place, Level.INCREMENTAL, upto="5")) == "from record 5 on; the log is needed from 4 on"


def test_a_large_state_is_sealed_where_it_fits_compressed_into_a_restore_object(place: Place) -> None:
    ran = saved(place, state="4000000")
    assert ran.outcome.status is JobStatus.OK, ran.outcome
    assert saved(place, Level.INCREMENTAL, upto="5", state="4000000").outcome.totals.files == 2
    with Catalog.read(place.volumes) as catalog:
        kept = next(iter(catalog.restore_objects(ran.outcome.jobid)))
    assert len(kept.content) > 4_000_000  # a person can restore it by hand


def test_a_large_state_that_does_not_fit_is_refused(place: Place) -> None:
    ran = saved(place, state="2000000", noise="yes")
    assert ran.outcome.status is JobStatus.FATAL
    assert any("compressed it does not fit into a restore object" in text for text in ran.texts(Severity.WARNING))


# ---- parallel streams ---------------------------------------------------------------------------------------------


def test_four_streams_are_read_at_once_and_stored_in_order(place: Place, tmp_path: Path) -> None:
    """Each first read waits for three others: so four slow streams take the time of one."""
    ran = saved(place, upto="10", size="700000", meet="4")
    assert (ran.outcome.status, ran.outcome.totals.files) == (JobStatus.OK, 10), ran.texts()
    assert "today: 4 reads at once" in ran.texts()
    back = place.restore(ran.outcome.jobid, tmp_path / "r", line("today", size="700000"))
    assert (back.outcome.status, back.outcome.totals.files) == (JobStatus.OK, 10), back.texts()


def test_what_is_read_ahead_goes_to_a_file_when_memory_is_full(place: Place, tmp_path: Path) -> None:
    """The last ones are long read when the first one is stored."""
    ran = saved(place, upto="4", size="9000000", meet="4")
    assert ran.outcome.status is JobStatus.OK, ran.texts()
    back = place.restore(ran.outcome.jobid, tmp_path / "r", line("today"))
    assert (back.outcome.status, back.outcome.totals.read_bytes) == (JobStatus.OK, 36_000_000), back.texts()


def test_one_stream_that_breaks_costs_its_entry_and_says_why(place: Place) -> None:
    ran = saved(place, upto="6", size="300000", broken="2")
    assert ran.outcome.status is JobStatus.WARNINGS
    (error,) = ran.texts(Severity.ERROR)
    assert error == "/@TODAY/0002: agent today 1.1: read: record 2 ends here: Input/output error"
    assert ran.outcome.totals.files == 6


# ---- phases -------------------------------------------------------------------------------------------------------


def test_all_are_prepared_and_begin_before_any_is_read(place: Place, tmp_path: Path) -> None:
    frozen = tmp_path / "frozen"
    both = line("today", freeze=str(frozen)), line("other")
    ran = place.backup(*both, files=[TODAY, OTHER])
    assert (ran.outcome.status, ran.outcome.totals.files) == (JobStatus.OK, 6), ran.texts()
    said = [text for text in ran.texts() if text.startswith(("today: ", "other: "))]
    assert [text.partition("; ")[0] for text in said] == [
        "today: prepare",
        "other: prepare",
        "today: from record 1 on",
        "other: from record 1 on",
        "other: release 1",
        "today: release 1",
    ]
    assert not frozen.exists()


def test_two_agents_save_one_moment_of_what_a_writer_keeps_in_step(place: Place, tmp_path: Path) -> None:
    """The writer changes both under a lock that the first agent takes when it is prepared: both begin with one number."""
    lock, one, two = (tmp_path / name for name in ("lock", "one", "two"))
    for path in (lock, one, two):
        path.write_text("0")
    stop = threading.Event()

    def write() -> None:
        with lock.open() as file:
            for number in itertools.count(1):
                fcntl.flock(file, fcntl.LOCK_EX)
                one.write_text(str(number))
                two.write_text(str(number))
                fcntl.flock(file, fcntl.LOCK_UN)
                if stop.wait(0.0005):
                    return

    writer = threading.Thread(target=write)
    writer.start()
    moments = set()
    try:
        both = line("today", lock=str(lock), counter=str(one)), line("other", counter=str(two))
        for _ in range(3):
            said = place.backup(*both, files=[TODAY, OTHER]).texts()
            (first,) = (text.removeprefix("today: at ") for text in said if text.startswith("today: at "))
            assert f"other: at {first}" in said
            moments.add(first)
    finally:
        stop.set()
        writer.join(60)
    assert len(moments) == 3  # and the writer was at work


def test_an_agent_that_cannot_be_prepared_fails_the_job_and_all_are_released(place: Place, tmp_path: Path) -> None:
    frozen = tmp_path / "frozen"
    ran = place.backup(line("today", freeze=str(frozen)), line("other", fault="fail-prepare"), files=[TODAY, OTHER])
    assert ran.outcome.text == "agent other 1.1: prepare: prepare fails (BP_E_FAIL)"
    assert [text for text in ran.texts() if "release" in text] == ["other: release 2", "today: release 2"]
    assert not frozen.exists()


def test_a_release_comes_even_after_a_crash_from_another_process(place: Place, tmp_path: Path) -> None:
    frozen = tmp_path / "frozen"
    ran = place.backup(line("today", freeze=str(frozen)), line("other", fault="abort-begin"), files=[TODAY, OTHER])
    assert ran.outcome.text == "agent other 1.1 crashed (SIGABRT) in begin"
    assert "agent today let go of what a Job that died had left held" in ran.texts()
    assert not frozen.exists()


def test_what_a_crash_of_everything_left_held_is_released_by_the_next_job(place: Place, tmp_path: Path) -> None:
    """As after a power cut: nobody of that time is left."""
    frozen = tmp_path / "frozen"
    frozen.touch()
    place.volumes.mkdir(mode=0o700)
    child = os.fork()
    if not child:
        Hold(place.volumes, "today", "", 1).keep(bytes(frozen))
        os._exit(0)
    os.waitpid(child, 0)
    ran = saved(place)
    assert ran.outcome.status is JobStatus.OK, ran.texts()
    assert "today: release 3" in ran.texts()
    assert not frozen.exists()
    assert "today: release 3" not in saved(place).texts()


@pytest.mark.parametrize(
    ("fault", "words"), [("hang-begin", "held still for more than 1 s"), ("deaf-begin", "in begin")]
)
def test_what_is_held_for_too_long_is_let_go(place: Place, tmp_path: Path, fault: str, words: str) -> None:
    frozen = tmp_path / "frozen"
    ran = place.backup(line("today", freeze=str(frozen)), line("other", fault=fault), files=[TODAY, OTHER])
    assert ran.outcome.status is JobStatus.FATAL
    assert words in ran.outcome.text
    assert not frozen.exists()


# ---- what a restore knows ---------------------------------------------------------------------------------------------


def test_a_restore_is_told_what_it_restores(place: Place, tmp_path: Path) -> None:
    full, more = saved(place), saved(place, Level.INCREMENTAL, upto="5")
    assert full.job is not None
    assert more.job is not None
    whole = place.restore(more.outcome.jobid, tmp_path / "r", line("today"))
    words = f"today: restoring {more.job.job} on {full.job.job}, 5 entries, 25 bytes of 2 Jobs, oldest first"
    assert words in whole.texts()
    part = place.restore(full.outcome.jobid, tmp_path / "p", line("today"), paths=[TODAY + b"0002"])
    words = f"today: restoring {full.job.job} on nothing, 1 entries, 5 bytes of 1 Jobs, a part, oldest first"
    assert words in part.texts()


def test_an_option_is_chosen_for_one_restore(place: Place, tmp_path: Path) -> None:
    full = saved(place)
    chosen = [("today", "target", "elsewhere"), ("other", "target", "nowhere")]
    ran = place.restore(full.outcome.jobid, tmp_path / "r", line("today"), options=chosen)
    assert "today: plan: to elsewhere" in ran.texts()
    assert "option other:target is of no use: agent other restores nothing of this Job" in ran.texts(Severity.WARNING)
    again = place.restore(full.outcome.jobid, tmp_path / "r", line("today", target="the conf's"))
    assert "today: plan: to the conf's" in again.texts()
    wrong = place.restore(full.outcome.jobid, tmp_path / "r", line("today"), options=[("today", "size", "7")])
    assert wrong.outcome.text == "agent today: option size cannot be chosen for a restore; those that can: target"


def test_a_plan_that_fails_ends_a_restore_before_its_first_entry(place: Place, tmp_path: Path) -> None:
    full = saved(place)
    ran = place.restore(full.outcome.jobid, tmp_path / "r", line("today", fault="fail-plan"))
    assert ran.outcome.text == "agent today 1.1: plan: the log is in use: stop its service first (BP_E_FAIL)"
    assert ran.outcome.totals.files == 0


def test_a_dry_run_asks_the_agents_and_changes_nothing(place: Place, tmp_path: Path) -> None:
    full = saved(place)
    ran = place.restore(full.outcome.jobid, tmp_path / "r", line("today"), dry_run=True)
    assert (ran.outcome.status, ran.outcome.totals.files) == (JobStatus.OK, 0)
    assert "today: plan: to its place, a dry run" in ran.texts()
    assert any("3 entries" in text for text in ran.texts())
    assert saved(place, Level.INCREMENTAL, upto="4").outcome.totals.files == 1  # it is not marked as restored
    refused = place.restore(full.outcome.jobid, tmp_path / "r", line("today", fault="fail-plan"), dry_run=True)
    assert refused.outcome.status is JobStatus.ERROR
    assert not (tmp_path / "r").exists()


# ---- browsing -------------------------------------------------------------------------------------------------------


def test_one_directory_is_listed_alone_for_a_person_who_chooses(agents: Path, tmp_path: Path) -> None:
    def listed(browse: bytes | None, *files: bytes) -> list[str]:
        lines: list[str] = []
        who = DirectorJob(0, "Browse", "Browse", "", "client", tmp_path)
        fileset = FileSet(includes=(Include(options=(Options(),), files=files),), name="T")
        setup = default_setup((agents,), (line("today"), line("filesystem")))
        job = EstimateJob(who, Level.FULL, fileset, setup, Changes(), listing=True, browse=browse)
        with start_job(job) as process:
            outcome = process.run(lambda event: lines.extend(event.get("lines", [])), lambda: None)
        return [one.split()[-1] for one in lines] or [outcome.text]

    assert listed(b"", TODAY) == ["/@TODAY"]
    assert listed(b"/@TODAY", TODAY) == listed(None, TODAY) == [f"/@TODAY/000{number}" for number in (1, 2, 3)]
    (words,) = listed(b"", bytes(tmp_path))
    assert words.startswith("agent filesystem 1.0 cannot list one directory alone")
