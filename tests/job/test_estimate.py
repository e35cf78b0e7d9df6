from __future__ import annotations

import os
from pathlib import Path

from filed.agents import Entry, EntryType, Has
from filed.cli.agents import default_setup
from filed.fileset import FileSet, Include
from filed.job.description import Changes, DirectorJob, EstimateJob, Level
from filed.job.ends.director_estimate import listing_line
from filed.job.process import start_job
from filed.process.channel import Event
from filed.process.outcome import JobStatus

KNOWN = int(Has.MODE | Has.OWNER | Has.SIZE | Has.BLOCKS | Has.INO | Has.NLINK | Has.ATIME | Has.MTIME | Has.CHTIME)


def run(tmp_path: Path, changes: Changes | None = None, *, listing: bool = True) -> tuple[int, int, list[str]]:
    who = DirectorJob(0, "-Console-.2026-11-23_10.14.28_02", "-Console-", "a-dir", "a-fd", tmp_path)
    fileset = FileSet((Include(files=(os.fsencode(tmp_path / "tree"),)),))
    job = EstimateJob(who, Level.FULL, fileset, default_setup(), changes or Changes(), listing=listing)
    lines: list[str] = []

    def on_event(event: Event) -> None:
        if event["event"] == "listing":
            lines.extend(event["lines"])  # type: ignore[arg-type]

    with start_job(job) as process:
        outcome = process.run(on_event, lambda: None)
    assert outcome.status is JobStatus.OK, outcome.text
    return outcome.totals.files, outcome.totals.job_bytes, lines


def test_what_would_be_saved_is_counted_and_listed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_bytes(b"x" * 1000)
    (tree / "b").hardlink_to(tree / "a")
    (tree / "l").symlink_to("a")
    files, size, lines = run(tmp_path)
    assert (files, size) == (4, 1000)
    assert [line.split("  ")[-1] for line in lines][-1] == str(tree)
    assert any(line.endswith(f"{tree}/l -> a") for line in lines)


def test_by_time_only_what_changed_is_counted(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_bytes(b"x")
    assert run(tmp_path, Changes(since=4_000_000_000), listing=False) == (0, 0, [])


def test_a_line_is_laid_out_as_consoles_know_it() -> None:
    entry = Entry(
        valid=KNOWN, type=EntryType.FIFO, mode=0o644, nlink=1, uid=0, gid=0, size=0, mtime=1600000000, chtime=1795428766
    )
    line = listing_line(entry, b"/a\nb", b"", by_mtime=False)
    assert line.startswith("frw-r--r--   1 root     root                      0 2026-11-23 ")
    assert line.endswith("  /a\\nb")
    assert " 2020-09-13 " in listing_line(entry, b"/a\nb", b"", by_mtime=True)
    assert listing_line(entry, b"/\xff", b"", by_mtime=False).endswith("  /\udcff")
