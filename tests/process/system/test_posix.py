from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from filed.process import system
from filed.process.system import readable

HIGH = 1500  # select ends at 1023


def test_a_descriptor_of_any_number_rings_and_ends() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= HIGH:
        pytest.skip("this user may not have so many descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, HIGH + 1), hard))
    cancel_pipe, ring = os.pipe()
    try:
        os.dup2(cancel_pipe, HIGH)
        assert readable(cancel_pipe, HIGH, timeout_s=0) == set()
        os.write(ring, b"c")
        assert readable(HIGH) == {HIGH}
        os.read(HIGH, 1)
        os.close(ring)
        assert readable(HIGH, cancel_pipe) == {HIGH, cancel_pipe}
    finally:
        os.close(cancel_pipe)
        os.close(HIGH)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def leave(code: int) -> NoReturn:
    os._exit(code)


def start_a_program(started: int) -> NoReturn:
    """Tells its pid, which holds `started` open, and waits."""
    os.set_inheritable(started, True)
    os.write(started, b"%d\n" % os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "60"))
    signal.pause()
    os._exit(0)


def fail() -> NoReturn:
    raise KeyboardInterrupt


def test_a_child_ends_with_its_code_and_shows_that_it_has_ended() -> None:
    with contextlib.closing(system.start(partial(leave, 7))) as process:
        assert readable(process.fileno(), timeout_s=30)
        assert process.wait() == process.wait() == 7
        process.kill_tree()  # nothing happens: the number may be another's


def test_a_child_never_comes_back_into_its_parents_code() -> None:
    with contextlib.closing(system.start(fail)) as process:
        assert process.wait() == 1


def test_a_tree_is_killed_with_its_programs() -> None:
    reader, writer = os.pipe()
    with contextlib.closing(system.start(partial(start_a_program, writer))) as process, os.fdopen(reader, "rb") as said:
        os.close(writer)
        program = int(said.readline())
        assert os.getpgid(program) == process.pid
        process.kill_tree()
        assert process.wait() == -signal.SIGKILL
        assert said.read() == b"", "the program, which holds the other end, has ended too"


def test_the_end_of_a_pipe_is_seen_behind_what_is_in_it() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")
    assert not system.parent_is_gone(reader)
    os.close(writer)
    assert system.parent_is_gone(reader)
    assert system.parent_is_gone(reader, timeout_s=None)
    os.close(reader)
    assert not system.parent_is_gone(reader), "nobody knows about one that is closed"


def test_our_own_process_has_a_start_and_one_that_has_ended_has_none() -> None:
    assert system.start_of(os.getpid())
    assert system.exists(os.getpid())
    pid = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(pid, 0)
    assert system.start_of(pid) is None
    assert not system.exists(pid)


def test_a_link_is_followed_only_when_asked_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError, match="link"):
        system.open_file(tmp_path / "link")
    descriptor = system.open_file(tmp_path / "link", follow=True)
    assert not os.get_inheritable(descriptor)
    assert system.read_at(descriptor, 100, 3) == b"tent"
    os.close(descriptor)


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    descriptor = system.open_file(tmp_path / "fifo")
    assert stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    os.close(descriptor)


def test_a_locked_file_is_taken_for_others_until_it_is_closed(tmp_path: Path) -> None:
    one, two = (system.open_file(tmp_path / "file", os.O_RDWR | os.O_CREAT) for _ in range(2))
    system.lock_file(one, wait=False)
    with pytest.raises(BlockingIOError):
        system.lock_file(two, wait=False, shared=True)
    os.close(one)
    system.lock_file(two, wait=True)
    assert system.write_at(two, b"abc", 2) == 3
    assert system.read_at(two, 9, 0) == b"\0\0abc"
    os.close(two)


def test_a_directory_can_be_flushed_to_the_disk(tmp_path: Path) -> None:
    system.sync_directory(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        system.sync_directory(tmp_path / "file")


def test_ids_have_names() -> None:
    assert system.user_name(0) == "root"
    assert system.group_name(0) == "root"
    with pytest.raises(KeyError):
        system.user_name(2**31 - 7)
