"""A Director that the daemon calls (`Connect To Director`): one connection always waits for it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Self

from filed.wire.frame import Signal
from tests.daemon.calling import Daemon
from tests.director.called import HELLO, CalledDirector
from tests.director.dialogue import Dialogue

TIMEOUT_S = 60


class Listening:
    """The Director's port."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TIMEOUT_S)
        self._opened = [self._listener]
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._opened:
            sock.close()

    def called(self) -> CalledDirector:
        self._opened.append(self._listener.accept()[0])
        return CalledDirector(self._opened[-1])

    def conf(self, more: str = "") -> str:
        return (
            f'Director {{ Name = "calls"; Password = "password"; Address = 127.0.0.1; DIR Port = {self.port}\n'
            f"Connect To Director = yes; TLS PSK Enable = no; {more} }}"
        )


def needed(director: CalledDirector) -> Dialogue:
    """The Director comes, and asks as one that has called."""
    director.say(Signal.IS_ALIVE)
    assert director.packet() is Signal.IS_ALIVE
    return Dialogue(director.sock, b"calls", number=10_002)


def test_a_director_asks_on_a_connection_that_waits_and_another_is_there_at_once(tmp_path: Path) -> None:
    with Listening() as listening, Daemon(tmp_path, listening.conf()):
        first = listening.called()
        assert first.greet() == HELLO
        with needed(first) as talk:
            second = listening.called()
            second.greet()
            talk.name(7)
            with needed(second) as console:
                console.name()
                console.say(b"status")
                lines = console.until(Signal.EOD)
                assert any(b"JobId 7 Job Save" in line for line in lines if isinstance(line, bytes))
                console.say(Signal.TERMINATE)
            talk.say(Signal.TERMINATE)
            talk.rest()
        listening.called().greet()


def test_only_that_director_may_use_it(tmp_path: Path) -> None:
    with Listening() as listening, Daemon(tmp_path, listening.conf()) as daemon:
        director = listening.called()
        director.greet()
        director.say(Signal.IS_ALIVE)
        assert director.packet() is Signal.IS_ALIVE
        director.say(b"Hello Director a\1dir calling 10002\n")
        while director.packet() is not Signal.TERMINATE:
            pass
        daemon.wait_for('"a dir"')


def test_what_is_lost_is_tried_again_and_what_waits_too_long_is_made_anew(tmp_path: Path) -> None:
    with Listening() as listening, Daemon(tmp_path, listening.conf("Reconnection Time = 2")) as daemon:
        lost = listening.called()
        lost.packet()
        lost.sock.close()
        waits = listening.called()
        daemon.wait_for('the call of Director "calls" ended with code 1; it begins again in 1 s')
        waits.greet()
        assert waits.packet() is Signal.TERMINATE
        listening.called().greet()
        assert daemon.end() == 0
