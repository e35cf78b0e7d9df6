from __future__ import annotations

import os
import socket

from filed.daemon.api import Daemon, Expected, question_on, receive_answer, send_answer
from filed.process.status_page import StatusPage
from filed.wire.auth import TlsNeed


def test_an_answer_may_be_longer_than_any_message() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        answer = {"running": ["x" * 1000] * 5000}
        send_answer(near, answer)
        assert receive_answer(far) == answer
        near.send(b"-")
        assert receive_answer(far) == {}
        near.close()
        assert receive_answer(far) == {}


def test_a_descriptor_goes_along_with_a_question_and_is_closed_behind_it() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    calls, taken = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reading, writing = os.pipe()
    with ours, theirs, calls, taken:
        daemon = Daemon(theirs, -1, taken, StatusPage())
        daemon.hand_storage("Save.1", writing, TlsNeed.OK, "192.0.2.5")
        daemon.expect_storage("KEY", 15)
        os.close(writing)
        with question_on(ours) as (question, descriptor):
            assert question == b'{"ask": "hand storage", "job": "Save.1", "tls": 1, "caller": "192.0.2.5"}'
            os.write(descriptor, b"x")
        assert os.read(reading, 2) == b"x"
        assert os.read(reading, 2) == b"", "nobody holds the other end any more"
        with question_on(ours) as (question, descriptor):
            assert (question, descriptor) == (b'{"ask": "expect storage", "key": "KEY", "protocol": 15}', -1)
        theirs.close()
        with question_on(ours) as (question, descriptor):
            assert (question, descriptor) == (b"", -1)
    os.close(reading)


def test_what_a_storage_daemon_has_to_know_is_asked_of_the_daemon() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        send_answer(ours, {"known": True, "key": "KEY", "protocol": 15})
        assert Daemon(theirs, -1, theirs, StatusPage()).expected_storage("Save.1") == Expected(
            known=True, key="KEY", protocol=15
        )
