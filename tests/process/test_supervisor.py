"""The parent of a job process; its judgement of each sin is in tests/system_agents."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.catalog import Level
from filed.fileset import FileSet, Include
from filed.job.description import BackupJob, Places
from filed.job.process import start_job
from filed.process.channel import Event
from filed.process.outcome import JobStatus
from tests.agents.compile import compile_agent
from tests.system_agents.conftest import agents_dir, bad_with_fetch, place  # noqa: F401  fixtures
from tests.system_agents.jobs import Place, line


def job_of(place: Place, agent: str, file: bytes, **options: str) -> BackupJob:  # noqa: F811
    fileset = FileSet(includes=(Include(files=(file,)),))
    return BackupJob(Places.within(place.volumes), "J", "c", Level.FULL, fileset, place.setup(line(agent, **options)))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_events_come_in_order_and_the_outcome_is_the_jobs_own(place: Place) -> None:  # noqa: F811
    events: list[Event] = []
    ticks: list[int] = []
    with start_job(job_of(place, "good", b"/@GOOD")) as process:
        outcome = process.run(events.append, lambda: ticks.append(process.status_page.counters.files))
        assert process.jobid == 1
    assert outcome.status is JobStatus.OK
    assert outcome.volumes == ("Vol-0001",)
    assert events[0] == {"event": "started", "jobid": 1, "level": "Full"}
    assert {event["event"] for event in events} == {"started", "message"}
    assert ticks[-1] <= outcome.totals.files == 12


def test_leaving_without_run_ends_the_process(place: Place) -> None:  # noqa: F811
    with start_job(job_of(place, "bad", b"/@BAD", sin="deaf-ready")) as process:
        assert alive(process.pid)
    assert not alive(process.pid)


def test_an_exception_of_a_listener_ends_the_process_too(place: Place) -> None:  # noqa: F811
    def broken(_event: Event) -> None:
        raise RuntimeError("no room for a message")

    with (
        pytest.raises(RuntimeError, match="no room"),
        start_job(job_of(place, "bad", b"/@BAD", sin="deaf-ready")) as process,
    ):
        process.run(broken, lambda: None)
    assert not alive(process.pid)


def test_a_cancel_may_come_twice_and_after_the_end(place: Place) -> None:  # noqa: F811
    with start_job(job_of(place, "bad", b"/@BAD", sin="beat-begin")) as process:
        process.cancel()
        process.cancel()
        assert process.run(lambda _event: None, lambda: None).status is JobStatus.CANCELED
        process.cancel()


def test_what_is_no_longer_wanted_is_canceled(place: Place) -> None:  # noqa: F811
    with start_job(job_of(place, "bad", b"/@BAD", sin="beat-begin")) as process:
        outcome = process.run(lambda _event: None, lambda: None, wanted=lambda: False)
    assert outcome.status is JobStatus.CANCELED
    assert "killed" not in outcome.text


def test_a_crash_keeps_the_numbers_that_were_seen(place: Place) -> None:  # noqa: F811
    with start_job(job_of(place, "bad", b"/@BAD", sin="crash-next_entries")) as process:
        outcome = process.run(lambda _event: None, lambda: None)
    assert outcome.status is JobStatus.FATAL
    assert outcome.jobid == 1
    assert outcome.totals.errors == 1


def test_an_agent_that_writes_into_the_channel_is_killed_for_it(place: Place, tmp_path: Path) -> None:  # noqa: F811
    """It runs in that process, so it can; what comes of it is a failed Job and no wrong belief."""
    compile_agent("trace.c", tmp_path, "forger", ['ID="forger"', "FORGE"])
    forging = Place(place.volumes, (tmp_path,))
    messages: list[str] = []
    with start_job(job_of(forging, "forger", b"/@TRACE")) as process:
        outcome = process.run(lambda event: messages.append(str(event.get("text"))), lambda: None)
    assert outcome.status is JobStatus.FATAL
    assert outcome.text == "job process sent an invalid message; killed"
    assert any("a job process sent a line that is no JSON" in text for text in messages)
    assert not alive(process.pid)


def test_many_jobs_one_after_the_other_leave_no_descriptor_open(place: Place) -> None:  # noqa: F811
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    place.backup(line("good"), files=[b"/@GOOD"])
    before = count()
    for sin in ("none", "crash-read", "exit-ready"):
        place.backup(line("bad", sin=sin), files=[b"/@BAD"])
    assert count() == before


def test_two_jobs_at_once_do_not_keep_each_other_alive(place: Place) -> None:  # noqa: F811
    """The second process is a copy of a parent that holds the first one's cancel pipe; the first must hear its end."""
    with start_job(job_of(place, "bad", b"/@BAD", sin="beat-begin")) as first:
        with start_job(job_of(place, "bad", b"/@BAD", sin="beat-begin")) as second:
            ends = {
                os.readlink(f"/proc/self/fd/{first._cancel_pipe}"),
                os.readlink(f"/proc/self/fd/{first._sock.fileno()}"),
            }
            second.cancel()
            held: set[str] = set()

            def look() -> None:
                directory = Path(f"/proc/{second.pid}/fd")
                held.update(os.readlink(path) for path in directory.iterdir() if path.is_symlink())

            # By the time that it has said a word it has let go of what was its parent's.
            words: list[Event] = []
            second_outcome = second.run(
                lambda event: words.append(event) or look() if not words else None, lambda: None
            )
            assert second_outcome.status is JobStatus.CANCELED
        assert words
        assert not ends & held
        first.cancel()
        assert first.run(lambda _event: None, lambda: None).status is JobStatus.CANCELED
