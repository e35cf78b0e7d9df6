from __future__ import annotations

import socket
import threading

import pytest

from filed.errors import RemoteProtocolError
from filed.process.task import Task, receive_task, send_task


def test_a_task_larger_than_any_buffer_arrives_whole() -> None:
    task = Task("a.program", bytes(range(256)) * 40_000, 1.5, new_privileges=True)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sending = threading.Thread(target=send_task, args=(ours, task))
        sending.start()
        assert receive_task(theirs) == task
        sending.join()


def test_nothing_behind_the_task_is_taken() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send_task(ours, Task("a.program", b"x", 1))
        ours.sendall(b"an event")
        receive_task(theirs)
        assert theirs.recv(100) == b"an event"


def test_a_parent_that_is_gone_before_the_end_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(b"\0\0\0\0\0\0\0\x09half")
        with pytest.raises(RemoteProtocolError, match="parent process is gone"):
            receive_task(theirs)


def test_a_request_is_not_shown() -> None:
    assert "secret" not in repr(Task("a.program", b"a secret", 1))
