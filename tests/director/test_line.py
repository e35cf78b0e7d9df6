from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Thread

import pytest

from filed.director.connection import DirectorConnection, Greeted
from filed.director.line import MAX_WAITING, Line
from filed.errors import JobCanceled
from filed.transport import Connection
from filed.wire.frame import Signal, pack_packet, pack_signal
from tests.director.dialogue import JOB, Dialogue
from tests.director.talk import DIRECTOR


@dataclass
class Ends:
    line: Line
    director: socket.socket
    cancel_pipe: int
    rung: list[bool]
    now: list[float]


@pytest.fixture
def ends() -> Iterator[Ends]:
    near, far = socket.socketpair()
    cancel_pipe, ring = os.pipe()
    rung: list[bool] = []

    def note() -> bool:
        if select.select([cancel_pipe], [], [], 0)[0]:
            rung.append(True)
            os.read(cancel_pipe, 1)
        return bool(rung)

    core = DirectorConnection("a-fd", {DIRECTOR.name: DIRECTOR}, 4711, 1795428868)
    now = [0.0]
    line = Line(
        Connection(far, "a Director", cancel_pipe=cancel_pipe),
        core,
        lambda _connection, _begins: None,
        note,
        compress=True,
        heartbeat_s=10,
        clock=lambda: now[0],
    )
    greeting = Thread(target=Dialogue(near).greet)
    greeting.start()
    assert isinstance(line.greet(), Greeted)
    greeting.join()
    yield Ends(line, near, ring, rung, now)
    near.close()
    line.close(politely=False)
    os.close(cancel_pipe)
    os.close(ring)


def test_being_asked_to_end_wakes_a_wait_once(ends: Ends) -> None:
    os.write(ends.cancel_pipe, b"c")
    with pytest.raises(JobCanceled):
        ends.line.next_event()
    ends.line.send(b"the end can still be told")
    assert not ends.line.gone
    assert ends.director.recv(100).endswith(b"told")
    assert ends.rung == [True]


def test_being_asked_to_end_does_not_swallow_an_answer(ends: Ends) -> None:
    os.write(ends.cancel_pipe, b"c")
    ends.line.send(b"answer")
    assert ends.director.recv(100).endswith(b"answer")
    assert ends.rung == [True]


@pytest.mark.parametrize("busy", [lambda line: line.send(b"answer"), lambda line: line.still_there()])
@pytest.mark.parametrize("wait", [lambda line: line.next_event(), lambda line: line.pause(60)])
def test_being_asked_to_end_meanwhile_is_told_by_the_next_wait_once(
    ends: Ends, busy: Callable[[Line], object], wait: Callable[[Line], object]
) -> None:
    os.write(ends.cancel_pipe, b"c")
    busy(ends.line)
    assert ends.rung == [True]
    with pytest.raises(JobCanceled):
        wait(ends.line)
    ends.line.pause(0)


def test_while_a_job_runs_it_shows_that_the_director_left(ends: Ends) -> None:
    assert ends.line.still_there()
    ends.director.sendall(pack_signal(Signal.HEARTBEAT))
    assert ends.line.still_there()
    ends.director.sendall(pack_signal(Signal.TERMINATE))
    assert not ends.line.still_there()
    ends.line.send(b"goes nowhere")


def test_a_director_that_hung_up_is_gone(ends: Ends) -> None:
    ends.director.close()
    assert not ends.line.still_there()
    ends.line.send(b"goes nowhere")
    ends.line.close(politely=True)


def test_what_comes_while_a_job_runs_is_not_lost(ends: Ends) -> None:
    ends.director.sendall(pack_packet(JOB % 1))
    assert ends.line.still_there()
    assert type(ends.line.next_event()).__name__ == "JobCommand"


def test_a_director_that_talks_on_and_on_while_its_job_runs_is_left(ends: Ends) -> None:
    ends.director.sendall(pack_packet(JOB % 1) * (MAX_WAITING + 1))
    assert not ends.line.still_there()


def test_silence_is_broken_by_a_heartbeat_each_interval(ends: Ends) -> None:
    ends.now[0] = 9.0
    ends.line.beat()
    ends.line.send(b"something")
    ends.now[0] = 18.0
    ends.line.beat()
    ends.now[0] = 19.0
    ends.line.beat()
    ends.line.beat()
    assert ends.director.recv(1000) == pack_packet(b"something") + pack_signal(Signal.HEARTBEAT)


def test_what_is_said_after_the_greeting_is_compressed(ends: Ends) -> None:
    ends.line.send(b"again and again " * 10)
    assert ends.director.recv(1000) == pack_packet(b"again and again " * 10, compress=True)
