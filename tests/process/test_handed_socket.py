from __future__ import annotations

import socket

import pytest

from filed.process.handed_socket import Call, hand_on, take_call
from filed.wire.auth import TlsNeed


def test_a_call_arrives_with_what_is_known_of_it() -> None:
    calls, taken = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    near, far = socket.socketpair()
    with calls, taken, near, far:
        hand_on(calls, near.fileno(), TlsNeed.REQUIRED, "192.0.2.5")
        near.close()
        call = take_call(taken)
        assert isinstance(call, Call)
        with call.sock:
            assert (call.tls, call.caller) == (TlsNeed.REQUIRED, "192.0.2.5")
            call.sock.sendall(b"hello")
            assert far.recv(5) == b"hello"
            assert not call.sock.get_inheritable()


def test_no_more_come_when_nobody_is_left_to_hand_them_on() -> None:
    calls, taken = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with taken:
        calls.close()
        assert take_call(taken) is None


def test_handing_on_never_waits() -> None:
    calls, taken = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with calls, taken:
        taken.close()
        with pytest.raises(BrokenPipeError):
            hand_on(calls, calls.fileno(), TlsNeed.NONE, "")
    calls, taken = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with calls, taken:
        calls.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        with pytest.raises(BlockingIOError):
            _hand_on_and_on(calls)


def _hand_on_and_on(calls: socket.socket) -> None:
    while True:
        hand_on(calls, calls.fileno(), TlsNeed.NONE, "")
