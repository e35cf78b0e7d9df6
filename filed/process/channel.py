"""What a job process tells its parent: one JSON object a line, over a socket pair.

The parent trusts nothing here: agent code runs in the process at the other end.

    {"event": "started", "jobid": 7, "level": "Incremental"}
    {"event": "message", "severity": "warning", "text": "..."}
    {"event": "sealed", "status": "T", ...}           a backup is good now, and its agents may commit
    {"event": "outcome", "status": "T", ...}          the last line; its absence is a crash
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

from filed.errors import RemoteProtocolError

MAX_LINE = 1 << 20  # a line of a mebibyte is a fault, not an event
MAX_TEXT = 100_000  # characters; the longest way to write one takes 6 bytes
RECEIVE_BYTES = 1 << 16

Event = dict[str, object]


class Sender:
    """The job process' end. Every call is one short blocking write."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def send(self, event: Event) -> None:
        text = event.get("text")
        if isinstance(text, str) and len(text) > MAX_TEXT:
            event = {**event, "text": text[:MAX_TEXT] + " ..."}
        self.sock.sendall(json.dumps(event, separators=(",", ":")).encode() + b"\n")


class Receiver:
    """The parent's end: bytes in, events out."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield each event that is now whole. Raises RemoteProtocolError for what is no event."""
        self._pending += data
        while (end := self._pending.find(b"\n")) >= 0:
            line = bytes(self._pending[:end])
            del self._pending[: end + 1]
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                raise RemoteProtocolError("a job process sent a line that is no JSON", line) from None
            if not isinstance(event, dict) or not isinstance(event.get("event"), str):
                raise RemoteProtocolError("a job process sent a line that is no event", line)
            yield event
        if len(self._pending) > MAX_LINE:
            raise RemoteProtocolError("a job process sent a line without an end", bytes(self._pending[:80]))
