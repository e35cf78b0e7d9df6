"""Standard output and error that are closed, full or gone: what was done stays done, and the exit code says it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.conftest import Store, some_files
from tests.system.program import PROGRAM, filed_program, wait_until


def shell(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", text], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def gone() -> int:
    """The writing end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def run_with(arguments: list[str], stdout: Callable[[], int], stderr: Callable[[], int] | None) -> tuple[int, str]:
    out = stdout()
    err = stderr() if stderr is not None else subprocess.PIPE
    ran = subprocess.run([PROGRAM, *arguments], check=False, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
    os.close(out)
    return ran.returncode, (ran.stderr or b"").decode()


@pytest.mark.parametrize(("out", "err"), [(gone, None), (full, full), (full, gone)])
def test_a_job_whose_report_cannot_be_written_is_as_good_as_any(
    place: Path, out: Callable[[], int], err: Callable[[], int] | None
) -> None:
    store, tree = Store(place / "volumes"), some_files(place, count=3)
    missing = place / "missing"
    words = ["backup", "-s", str(store.path), str(tree), str(missing)]  # a message comes before the report
    code, said = run_with(words, out, err)
    assert code == 3
    assert "Traceback" not in said
    assert [job["status"] for job in store.jobs()] == ["W"]
    code, said = run_with(["restore", "-s", str(store.path), "--where", str(place / "r")], out, err)
    assert code == 0, said
    assert (place / "r" / tree.relative_to("/")).is_dir()
    code, said = run_with(["prune", "-s", str(store.path)], out, err)
    assert code == 0, said


def test_closed_descriptors_at_the_start_change_nothing(place: Path) -> None:
    store, tree = Store(place / "volumes"), some_files(place, count=3)
    for number, closed in enumerate((">&-", "2>&-", "<&- >&- 2>&-"), 1):
        assert shell(f"{PROGRAM} backup -s {store.path} {tree} {closed}").returncode == 0
        assert [job["status"] for job in store.jobs()] == ["T"] * number
    assert shell(f"{PROGRAM} verify -s {store.path} <&- >&- 2>&-").returncode == 0
    assert shell(f"{PROGRAM} ls -s {store.path}/none >&- 2>&-").returncode == 1


@pytest.mark.parametrize("words", [("ls",), ("jobs", "--json")])
def test_an_answer_on_a_full_disk_is_an_error_and_one_line(place: Path, words: tuple[str, ...]) -> None:
    store = Store(place / "volumes")
    store("backup", "--level", "full", some_files(place, count=3))
    code, said = run_with([words[0], "-s", str(store.path), *words[1:]], full, None)
    assert code == 1
    assert said == "filed: the answer cannot be written to standard output: No space left on device\n"
    code, said = run_with([words[0], "-s", str(store.path), *words[1:]], gone, None)
    assert (code, said) == (0, "")


def test_help_on_a_full_disk_is_one_line_too() -> None:
    code, said = run_with(["--help"], full, None)
    assert (code, said) == (1, "filed: standard output: No space left on device\n")


def test_a_job_whose_process_is_gone_is_failed_for_every_command(place: Path) -> None:
    """Nobody needs to run another backup first, and the catalog may be on a disk that is read-only."""
    store, tree = Store(place / "volumes"), some_files(place, count=2)
    fifo = place / "tree-0" / "fifo"
    os.mkfifo(fifo)
    conf = place / "filed.conf"
    conf.write_text(
        "Job { Name = J; FileSet = F; Storage = D }\n"
        f"FileSet {{ Name = F\n Include {{\n Options {{ readfifo = yes }}\n File = {fifo}\n }}\n}}\n"
        f"Storage {{ Name = D; Archive Device = {store.path} }}\n"
    )
    store("backup", "--level", "full", tree)
    with subprocess.Popen([PROGRAM, "backup", "-c", conf], stderr=subprocess.DEVNULL, process_group=0) as running:
        wait_until(lambda: [job["status"] for job in store.jobs()] == ["T", "R"])
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        for pid in (running.pid, *map(int, children)):
            os.kill(pid, signal.SIGKILL)
        running.wait()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    (_, dead) = store.jobs()
    assert (dead["status"], dead["failure"]) == ("f", "its process is gone")
    said = filed_program("restore", "-s", store.path, "2", "--where", place / "r", code=1)
    assert said.err == "filed: JobId 2 is no good backup (its process is gone)\n"
    assert json.loads(filed_program("prune", "-s", store.path, "--json").out)["kept"] == 2


def test_quiet_commands_are_silent_when_all_is_well(place: Path) -> None:
    store, tree = Store(place / "volumes"), some_files(place, count=3)
    for words in (("backup", tree), ("restore", "--where", place / "r"), ("verify",)):
        ran = store(words[0], "--quiet", *words[1:])
        assert (ran.out, ran.err) == ("", "")
    ran = store("backup", "--level", "full", "--quiet", tree, place / "missing", code=3)
    assert "missing: No such file or directory" in ran.err
    assert "OK, with warnings" in ran.out


@pytest.mark.root
def test_a_dry_run_of_prune_writes_nothing(place: Path) -> None:
    """It works on a disk that is mounted read-only, and so does the line for sqlite3 that docs/catalog.md has."""
    store, tree = Store(place / "volumes"), some_files(place, count=3)
    for _ in range(2):
        store("backup", "--level", "full", tree)
    subprocess.run(["mount", "--bind", store.path, store.path], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", store.path], check=True)
        assert store("prune", "--keep-fulls", "1", "--dry-run", "--json").json["removed"] == [1]
        catalog = sqlite3.connect(f"file:{store.path}/catalog.sqlite?immutable=1", uri=True)
        assert catalog.execute("SELECT count(*) FROM job").fetchone() == (2,)
        catalog.close()
    finally:
        subprocess.run(["umount", store.path], check=True)
