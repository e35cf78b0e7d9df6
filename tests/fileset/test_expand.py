from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filed.errors import JobCanceled, JobError
from filed.fileset.expand import MAX_BYTES, MAX_NAMES, expanded
from filed.fileset.model import FileSet, Include

Files = Callable[..., tuple[bytes, ...]]


@pytest.fixture
def cancel() -> Iterator[tuple[int, int]]:
    """The two ends of a cancel pipe, to read and to write."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def files(cancel: tuple[int, int]) -> Files:
    """Expands the File lines of an Include."""

    def run(*items: bytes, warn: Callable[[str], None] = lambda _text: None) -> tuple[bytes, ...]:
        return expanded(FileSet((Include((), items),)), cancel[0], warn).includes[0].files

    return run


def test_a_list_stands_for_its_lines(tmp_path: Path, files: Files) -> None:
    (tmp_path / "list").write_bytes(b"/a\n/b with blank \r\n\n \t\n/c\xff")
    assert files(b"/0", b"<" + bytes(tmp_path / "list"), b"/9") == (b"/0", b"/a", b"/b with blank", b"/c\xff", b"/9")


def test_a_command_stands_for_what_it_prints(files: Files) -> None:
    assert files(b"|sh -c 'echo /a; echo \"/b c\"'", b"|echo") == (b"/a", b"/b c")


def test_excludes_expand_too(tmp_path: Path, cancel: tuple[int, int]) -> None:
    (tmp_path / "list").write_bytes(b"*.o\n")
    assert expanded(FileSet((), (b"<" + bytes(tmp_path / "list"),)), cancel[0]).excludes == (b"*.o",)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (b"</does/not/exist", 'the list "/does/not/exist" cannot be read: No such file'),
        (b"|false", '"false" ended with code 1'),
        (b"|sh -c 'echo oops >&2; exit 3'", "ended with code 3: oops"),
        (b"|/does/not/exist", "cannot be run"),
        (b"|", "cannot be run"),
        (b"|sh -c 'open", "cannot be run: No closing quotation"),
        (b"</dev/zero", 'the list "/dev/zero" is not a regular file'),
        (b"</tmp", 'the list "/tmp" cannot be read: Is a directory'),
        (b"|yes /a", f"gives too much: all lists and programs may give {MAX_BYTES:,} bytes and {MAX_NAMES:,} lines"),
        (b"|cat /dev/zero", "gives too much"),
    ],
)
def test_what_cannot_be_expanded_ends_the_job(files: Files, item: bytes, message: str) -> None:
    with pytest.raises(JobError, match=re.escape(message)):
        files(item)


def test_all_lists_of_a_fileset_share_one_bound(tmp_path: Path, files: Files) -> None:
    (tmp_path / "list").write_bytes(b"/a\n" * (MAX_NAMES // 2 + 1))
    one = b"<" + bytes(tmp_path / "list")
    assert len(files(one)) == MAX_NAMES // 2 + 1
    with pytest.raises(JobError, match="gives too much"):
        files(one, one)


def test_a_list_that_waits_for_a_writer_is_refused_at_once(tmp_path: Path, files: Files) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(JobError, match="is not a regular file"):
        files(b"<" + bytes(tmp_path / "fifo"))


def test_lines_that_are_no_paths_are_counted_and_never_shown(tmp_path: Path, files: Files) -> None:
    (tmp_path / "list").write_bytes(b"root:secret:1:\n/a\ndaemon:*:1:\n")
    warned: list[str] = []
    assert files(b"<" + bytes(tmp_path / "list"), warn=warned.append) == (b"/a",)
    assert warned == [f'FileSet: 2 lines of "{tmp_path}/list" are no absolute paths: skipped']


@pytest.mark.parametrize("before", ["", "exec >&-; ", "exec 2>&-; "])
def test_a_cancel_ends_a_program(tmp_path: Path, files: Files, cancel: tuple[int, int], before: str) -> None:
    os.mkfifo(tmp_path / "pid")

    def cancel_when_it_runs() -> None:
        pids.append(int((tmp_path / "pid").read_text()))
        os.write(cancel[1], b"c")

    pids: list[int] = []
    canceling = threading.Thread(target=cancel_when_it_runs)
    canceling.start()
    with pytest.raises(JobCanceled):
        files(f"|sh -c 'echo $$ > {tmp_path}/pid; {before}exec sleep 1000'".encode())
    canceling.join()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_program_that_complains_without_end_is_read_to_its_end(files: Files) -> None:
    program = b"|sh -c 'head -c 3000000 /dev/zero | tr \\\\0 x >&2; echo; echo last >&2; exit 3'"
    with pytest.raises(JobError, match=r"ended with code 3: .*last"):
        files(program)
