"""A Job's records on their way to a Storage Daemon.

All records of one stream of one file go behind one StreamHeader, each in a packet of its own; the stream's EOD is sent
when a record of another one comes. Small packets are gathered into one send.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from filed.catalog import JobMedia
from filed.errors import ConnectionLost, LocalProtocolError, RemoteProtocolError, VolumeError
from filed.storage.daemon.session import STALL_S, answer, ask, leave, refused
from filed.storage.interface import JobTotals
from filed.transport import Connection
from filed.volume import Buffer, Session
from filed.wire.frame import HEADER, FrameFlag, Signal, pack_signal
from filed.wire.line_compression import compress_line
from filed.wire.storage import (
    GOOD_STATUS,
    MAX_DATA_BYTES,
    MAX_RECORD_BYTES,
    AppendClose,
    AppendData,
    AppendEnd,
    AppendOpen,
    Closed,
    Opened,
    parse_refusal,
)
from filed.wire.stream import STREAM_TYPE_MASK, Stream

GATHER_BYTES: Final = 131_072
"""Small packets wait for each other until there is so much of them. A quarter cost 40 % more processor time, eight times saved none."""
DIRECT_BYTES: Final = 16_384
"""Data of this length is handed to the system where it lies: as fast as gathering it, without the memory."""

_pack_length: Final = HEADER.pack
_EOD: Final = pack_signal(Signal.EOD)
_COMPRESSED: Final = FrameFlag.COMPRESSED.value
_FRAMING_BYTES: Final = 32  # about; without them a gathering of tiny records would be long
_PHASE: Final = "the sending of data"

MAX_PARTS: Final = 64
"""Of one send, of the 1,024 that the system takes. Each send wakes the Storage Daemon, on the same processor in our place."""


class DaemonAppendSession:
    """An AppendSession on a Storage Daemon.

    connection: greeted; ours from now on. session: VolSessionId and VolSessionTime, which the Director gave to the Job.
    stall_s: how long the Storage Daemon may wait for a Volume. Raises VolumeError when it refuses the session.
    """

    def __init__(self, connection: Connection, session: Session, stall_s: float = STALL_S) -> None:
        self._connection, self._session, self._stall_s = connection, session, stall_s
        self._pieces: list[bytes] = []
        self._gathered = 0
        self._index = self._stream = 0  # of the stream that is open; index 0: none is
        self._done = False
        self._broken: Exception | None = None
        self._compress = connection.compress
        try:
            opened = ask(connection, AppendOpen(), "the opening of a session")
            assert isinstance(opened, Opened)
            self._ticket = opened.ticket
            ask(connection, AppendData(opened.ticket), "the wait for a Volume", stall_s)
            connection.phase = _PHASE
        except BaseException:
            connection.close()
            raise

    @property
    def session(self) -> Session:
        return self._session

    def write(self, file_index: int, stream: int, data: Buffer) -> None:
        """One record; HOT. An empty one is left out: an empty packet would end the stream, and there is nothing to store.

        File data is cut into packets that every File Daemon can restore. Raises VolumeError, ConnectionLost,
        RemoteProtocolError, JobCanceled; after those only `abandon` is left.
        """
        if len(data) > MAX_DATA_BYTES and stream & STREAM_TYPE_MASK == Stream.FILE_DATA:
            self.write_all(file_index, [(stream, data)])
        elif (direct := self._gather(file_index, stream, data)) is not None:
            self._send(self._head(), direct)
        elif self._gathered >= GATHER_BYTES:
            self._send(self._head())

    def write_all(self, file_index: int, records: Sequence[tuple[int, Buffer]]) -> None:
        """Records of one file: as `write`, and one send for long ones."""
        parts: list[Buffer] = []
        for stream, data in records:
            for piece in _cut(stream, data):
                if (direct := self._gather(file_index, stream, piece)) is not None:
                    parts += (self._head(), direct)
                    if len(parts) >= MAX_PARTS:
                        self._send(*parts)
                        parts.clear()
        if parts:
            self._send(*parts)
        elif self._gathered >= GATHER_BYTES:
            self._send(self._head())

    def _gather(self, file_index: int, stream: int, data: Buffer) -> Buffer | None:
        """Add one record to what waits to be sent. Returns its data where that is long, to be sent behind all else; HOT."""
        size = len(data)
        if size > MAX_RECORD_BYTES:
            raise VolumeError(
                f"a record of {size:,} bytes (stream {stream}, FileIndex {file_index}) is too long for a Storage "
                f"Daemon, which takes {MAX_RECORD_BYTES:,}"
            )
        if not size:
            return None
        if self._broken is not None:
            raise self._broken
        pieces = self._pieces
        if file_index != self._index or stream != self._stream:
            if self._index:
                if not 0 <= file_index - self._index <= 1:
                    raise LocalProtocolError(f"FileIndex {file_index} behind {self._index}")
                pieces.append(_EOD)
            header = b"%d %d 0" % (file_index, stream)
            pieces.append(_pack_length(len(header)) + header)
            self._index, self._stream = file_index, stream
        length = size
        if self._compress and (block := compress_line(data)) is not None:
            self._connection.saved_bytes += size - len(block)
            data, size = block, len(block)
            length = size | _COMPRESSED
        pieces.append(_pack_length(length))
        if size >= DIRECT_BYTES:
            return data
        pieces.append(data if type(data) is bytes else bytes(data))
        self._gathered += size + _FRAMING_BYTES
        return None

    def _head(self) -> bytes:
        """Takes what was gathered, to be sent now."""
        head = b"".join(self._pieces)
        self._pieces.clear()
        self._gathered = 0
        return head

    def finish(self, totals: JobTotals) -> list[JobMedia]:  # noqa: ARG002  the Director tells the Storage Daemon
        """End the session. Returns nothing to remember: which Volumes were written, the Director knows.

        On return the Storage Daemon has said that all is stored well. Raises what `write` raises.
        """
        if self._broken is not None:
            raise self._broken
        if self._index:
            self._pieces.append(_EOD)
        self._pieces.append(_EOD)
        self._send(self._head())
        connection = self._connection
        connection.phase = "the storing of the last data"
        answer(connection, Signal.EOD, self._stall_s)
        ask(connection, AppendEnd(self._ticket), "the end of the session", self._stall_s)
        closed = ask(connection, AppendClose(self._ticket), "the closing of the session", self._stall_s)
        assert isinstance(closed, Closed)
        if closed.letter not in GOOD_STATUS:
            raise VolumeError(
                f"{connection.peer} says that the session is not good: status {closed.letter} ({closed.status}); "
                f"its messages tell more"
            )
        self._done = True
        leave(connection)
        return []

    def abandon(self, patience_s: float = 0.0) -> None:
        """Cut the connection: the Storage Daemon sees that the session has no end, and the Job is told of by the Director.

        patience_s: how long to leave that to the Storage Daemon, when the Director tells it of a cancel as well. It takes a cut for a
        fault, calls the Job incomplete, and the Director runs again what somebody has canceled.
        """
        if not self._done:
            self._done = True
            self._pieces.clear()
            if patience_s:
                self._connection.outwait(patience_s)
            self._connection.close()

    def _send(self, *parts: Buffer) -> None:
        connection = self._connection
        try:
            connection.send_frames(*parts, timeout_s=self._stall_s)
            if connection.heard:
                self._interrupted()
        except ConnectionLost as error:
            self._broken = self._why() or error
            raise self._broken from error
        except BaseException as error:
            self._broken = error if isinstance(error, Exception) else VolumeError("the session was interrupted")
            raise

    def _interrupted(self) -> None:
        """The Storage Daemon has no business to talk now, but to keep the connection alive, or to give up."""
        packet = self._connection.next_packet()
        if packet is None:
            return
        refusal = parse_refusal(packet) if isinstance(packet, bytes) else None
        if refusal is not None:
            raise refused(self._connection, refusal)
        what = packet if isinstance(packet, bytes) else packet.name.encode()
        raise RemoteProtocolError(f"{self._connection.peer} said something during {_PHASE}", what)

    def _why(self) -> VolumeError | None:
        """What the Storage Daemon said before it went."""
        packet = self._connection.last_words()
        refusal = parse_refusal(packet) if isinstance(packet, bytes) else None
        return refused(self._connection, refusal) if refusal else None


def _cut(stream: int, data: Buffer) -> Iterator[Buffer]:
    """File data in pieces that every File Daemon can restore; other data as it is."""
    if len(data) <= MAX_DATA_BYTES or stream & STREAM_TYPE_MASK != Stream.FILE_DATA:
        yield data
        return
    view = memoryview(data)
    for at in range(0, len(view), MAX_DATA_BYTES):
        yield view[at : at + MAX_DATA_BYTES]
