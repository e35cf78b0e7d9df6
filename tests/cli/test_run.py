"""One Job from the command line: signals, messages, and the catalog when its process could not write into it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from filed.catalog import Catalog
from tests.system_agents.conftest import agents_dir, bad_with_fetch, place  # noqa: F401  fixtures
from tests.system_agents.jobs import Place, line

NUMBERS = (signal.SIGINT, signal.SIGTERM)


def test_the_handlers_of_signals_come_back(place: Place) -> None:  # noqa: F811
    before = [signal.getsignal(number) for number in NUMBERS]
    inside: list[object] = []
    place.backup(line("good"), files=[b"/@GOOD"], stop=lambda: bool(inside.append(signal.getsignal(signal.SIGINT))))
    assert inside
    assert inside[0] not in before
    assert [signal.getsignal(number) for number in NUMBERS] == before


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_cancels_the_job_and_not_the_program(place: Place, number: signal.Signals) -> None:  # noqa: F811
    raised: list[int] = []

    def press() -> bool:
        if not raised:
            raised.append(number)
            signal.raise_signal(number)
        return False

    ran = place.backup(line("bad", sin="beat-begin"), files=[b"/@BAD"], stop=press)
    assert ran.outcome.status.value == "A"
    assert ran.job is not None
    assert ran.job.status == "A"


def test_a_job_whose_process_died_is_marked_in_the_catalog_at_once(place: Place) -> None:  # noqa: F811
    ran = place.backup(line("bad", sin="kill-read"), files=[b"/@BAD"])
    with Catalog.read(place.volumes) as catalog:
        (job,) = catalog.jobs()
    assert (job.status, job.failure) == ("f", ran.outcome.text)


def test_a_catalog_that_cannot_be_written_any_more_hides_no_report(place: Place, tmp_path: Path) -> None:  # noqa: F811
    """The Job's own end is what counts; the next Job marks the dead one."""

    def spoil() -> bool:
        for file in place.volumes.glob("catalog.sqlite*"):
            file.unlink()
        (place.volumes / "catalog.sqlite").write_text("this is no database, and long enough to be read as one" * 20)
        return False

    from filed.cli.run import run_job
    from filed.fileset import FileSet, Include
    from filed.job.description import BackupJob, Level, Places
    from tests.system_agents.jobs import Recorder

    place.timeout_s = 0.3
    job = BackupJob(
        Places.within(place.volumes),
        "J",
        "c",
        Level.FULL,
        FileSet(includes=(Include(files=(b"/@BAD",)),)),
        place.setup(line("bad", sin="deaf-read")),
    )
    console = Recorder(stop=lambda: (place.volumes / "catalog.sqlite").exists() and spoil())
    outcome = run_job(job, console, 0.2)
    assert outcome.text.startswith("agent bad 6.6 made no progress")


def test_a_backup_has_no_total_that_would_be_a_guess(place: Place) -> None:  # noqa: F811
    """What the last Full read says little about this one."""
    from filed.cli.run import run_job
    from filed.fileset import FileSet, Include
    from filed.job.description import BackupJob, Level, Places
    from tests.system_agents.jobs import Recorder

    class Progress(Recorder):
        def progress(self, files: int, read_bytes: int, expected_bytes: int, name: bytes = b"") -> None:
            expected.append(expected_bytes)

    expected: list[int] = []
    fileset = FileSet(includes=(Include(files=(b"/@GOOD",)),))
    for _ in range(2):
        job = BackupJob(Places.within(place.volumes), "J", "c", Level.FULL, fileset, place.setup(line("good")))
        assert run_job(job, Progress()).status.good
    assert expected
    assert set(expected) == {0}
