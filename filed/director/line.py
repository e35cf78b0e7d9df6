"""The connection of one session: events in, answers out, and the ear for being asked to end.

The connection's cancel pipe is the daemon's: it rings once, when this session is to end. That is noted here, and then the conversation can be
brought to its proper end.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from filed.director.connection import DirectorConnection, Event, Greeted, Left, TlsBegins
from filed.errors import ConnectionLost, FiledError, JobCanceled, RemoteProtocolError
from filed.transport import Connection
from filed.wire.frame import Packet, Signal
from filed.wire.version import DIRECTOR_EXPANDS_FROM

GREETING_TIMEOUT_S = 60.0  # in all, to prove who it is; a stranger gets no more of our time
MAX_WAITING = 100  # events of a Director that talks while its Job runs; it has no business to
START_TLS = Callable[[Connection, TlsBegins], None]


class Line:
    """One Director's connection. asked_to_end: notes the cancel pipe and says whether it has rung.

    compress: what we say, if the Director can take it.  heartbeat_s: see `beat`; 0 for never.
    """

    def __init__(
        self,
        connection: Connection,
        core: DirectorConnection,
        start_tls: START_TLS,
        asked_to_end: Callable[[], bool],
        *,
        compress: bool = False,
        heartbeat_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection, self._core = connection, core
        self._compress, self._heartbeat_s, self._clock = compress, heartbeat_s, clock
        self._spoke = clock()
        self._start_tls, self._asked_to_end = start_tls, asked_to_end
        self._events: deque[Event] = deque()
        self._unheard = False  # the cancel pipe rang while something was said, and no wait has told it yet
        self.gone = False

    @property
    def cipher(self) -> str:
        """How the Director's connection is encrypted; "" when it is not."""
        return self._connection.cipher

    def hear(self, packet: Packet) -> None:
        """One that was received before this line was made: a Hello. Raises as `greet` does."""
        self._take(packet)

    def disables(self, *words: str) -> bool:
        """Whether our conf forbids this Director one of these commands."""
        return self._core.disables(*words)

    def greet(self) -> Event:
        """Until the Director has proved who it is. Raises what `next_event` raises, and AuthenticationError.

        The connection has a limit for all that; the limit ends here.
        """
        self._connection.phase = "the greeting"
        event = self.next_event()
        if isinstance(event, TlsBegins):
            self._start_tls(self._connection, event)
            greeted = self._core.tls_is_up()
            self.flush()
            event = greeted or self.next_event()
        self._connection.limit(None)
        self._connection.read_ahead = True
        if isinstance(event, Greeted):
            self._connection.compress = (
                self._compress and event.version.line_compression and event.number >= DIRECTOR_EXPANDS_FROM
            )
        return event

    def next_event(self, timeout_s: float | None = None) -> Event:
        """Wait for it. Raises JobCanceled when we are asked to end, once; ConnectionLost; RemoteProtocolError."""
        while not self._events:
            try:
                self._tell_unheard()
                packet = self._connection.receive(timeout_s)
            except JobCanceled:
                self._heard()
                raise
            self._take(packet)
        return self._events.popleft()

    def take_plain(self) -> memoryview:
        """Within a list that has no limit: many of its packets at once, each behind its header, of those that were read. Perhaps none."""
        return self._connection.take_plain() if self._core.in_long_list and not self._events else memoryview(b"")

    def send(self, *packets: Packet) -> None:
        """Say something. Nothing happens once the Director has gone; that it went shows in `gone`."""
        self._core.send(*packets)
        self.flush()

    def flush(self) -> None:
        packets = self._core.to_send()
        while packets and not self.gone:
            before = self._connection.sent_bytes
            try:
                self._connection.send(*packets)
            except JobCanceled:
                self._unheard = self._asked_to_end()
                if self._connection.sent_bytes != before:  # nobody knows where the next packet begins
                    self.gone = True
            except ConnectionLost:
                self.gone = True
            else:
                self._spoke = self._clock()
                return

    def still_there(self) -> bool:
        """While a Job runs, without waiting: has the Director not left?"""
        if not self.gone:
            try:
                while not self.gone and (packet := self._connection.look()) is not None:
                    self._take(packet)
                    if len(self._events) > MAX_WAITING:
                        raise RemoteProtocolError("a Director talks on and on while its Job runs")
            except JobCanceled:
                self._unheard = self._asked_to_end()
            except FiledError:
                self.gone = True
        return not self.gone

    def pause(self, seconds: float) -> None:
        """Let time pass. Raises JobCanceled when we are asked to end, once."""
        try:
            self._tell_unheard()
            self._connection.pause(seconds)
        except JobCanceled:
            self._heard()
            raise

    def beat(self) -> None:
        """A sign of life, when we were silent for the interval. Only where the Director waits for the end of a Job."""
        if self._heartbeat_s and self._clock() - self._spoke >= self._heartbeat_s:
            self.send(Signal.HEARTBEAT)

    def close(self, *, politely: bool) -> None:
        """politely: TERMINATE, unless the Director said so first."""
        if politely and not self.gone:
            try:
                self._connection.take_leave()
            except JobCanceled:
                self._asked_to_end()
        self._connection.close()

    def _tell_unheard(self) -> None:
        """The cancel was read from the pipe: a wait would not be woken by it again."""
        if self._unheard:
            raise JobCanceled(f"canceled during {self._connection.phase}")

    def _heard(self) -> None:
        self._asked_to_end()
        self._unheard = False

    def _take(self, packet: Packet) -> None:
        try:
            events = self._core.receive(packet)
        finally:
            self.flush()
        self._events.extend(events)
        if any(isinstance(event, Left) for event in events) or packet is Signal.TERMINATE:
            self.gone = True
