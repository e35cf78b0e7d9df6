"""Records of a restore on their way from a Storage Daemon. Which ones, the Director has told it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from filed.errors import RemoteProtocolError, VolumeError
from filed.storage.daemon.packet_runs import PacketRuns, packet_runs
from filed.storage.daemon.session import STALL_S, ask, leave, refused
from filed.storage.joined import joined
from filed.transport import Connection
from filed.volume import Record, Run, Session
from filed.wire.frame import Packet, Signal
from filed.wire.storage import (
    GOOD_READ_STATUS,
    Closed,
    Opened,
    ReadClose,
    ReadData,
    ReadOpen,
    RecordHeader,
    parse_refusal,
)

_PHASE: Final = "the reading of data"


class DaemonReadSession:
    """One round of a restore: open, `records`, `finish`.

    connection: greeted; ours from now on. session: VolSessionId and VolSessionTime of the Job that reads.
    stall_s: how long the Storage Daemon may wait for a Volume. Raises VolumeError when it refuses the session.
    """

    def __init__(self, connection: Connection, session: Session, stall_s: float = STALL_S) -> None:
        self._connection, self._stall_s = connection, stall_s
        self._complete = False
        try:
            opened = ask(connection, ReadOpen(*session), "the opening of a session")
            assert isinstance(opened, Opened)
            self._ticket = opened.ticket
            ask(connection, ReadData(opened.ticket), "the wait for a Volume", stall_s)
            connection.phase = _PHASE
        except BaseException:
            connection.close()
            raise

    def records(self) -> Iterator[Record]:
        """All records, in the order of the Volumes, long ones joined. To be taken once, and to its end.

        Their data is bytes. Raises VolumeError when the Storage Daemon gives up, ConnectionLost, RemoteProtocolError, JobCanceled.
        """
        return joined(self._received())

    def runs(self) -> Iterator[Record | Run]:
        """The same, many of them together where they are short."""
        cutter = packet_runs()
        return self.records() if cutter is None else joined(self._in_runs(cutter))

    def _in_runs(self, cutter: PacketRuns) -> Iterator[Record | Run]:
        """Behind each record that is waited for, all that came with it."""
        connection = self._connection
        for record in self._received():
            yield record
            taken = 1
            while taken:
                run, taken = cutter.run(connection.held())
                connection.taken(taken)
                if run is not None:
                    yield run

    def _received(self) -> Iterator[Record]:
        """As they come; HOT."""
        receive, parse = self._connection.receive, RecordHeader.parse
        stall_s = self._stall_s
        session = Session(-1, -1)
        while True:
            packet = receive(stall_s)
            header = parse(packet) if type(packet) is bytes else None
            if header is None:
                if packet is Signal.EOD:
                    break
                raise self._no_header(packet)
            data = receive()
            if not isinstance(data, bytes) or len(data) != header.size:
                raise self._no_data(header, data)
            if session[0] != header[0] or session[1] != header[1]:
                session = Session(header[0], header[1])
            if header.file_index > 0:  # labels are not ours, should they come
                yield Record(session, header.file_index, header.stream, data)
        self._complete = True

    def finish(self) -> None:
        """End the session. Raises VolumeError when the Storage Daemon says that it went wrong."""
        connection = self._connection
        if not self._complete:
            self.abandon()
            raise VolumeError(f"the records of {connection.peer} were not read to their end")
        closed = ask(connection, ReadClose(self._ticket), "the closing of the session")
        assert isinstance(closed, Closed)
        if closed.letter not in GOOD_READ_STATUS:
            raise VolumeError(
                f"{connection.peer} says that the session is not good: status {closed.letter} ({closed.status}); "
                f"its messages tell more"
            )
        leave(connection)

    def interrupt(self) -> None:
        """From another thread: `records`, which waits for the Storage Daemon, raises ConnectionLost. Then `abandon`. Never raises."""
        self._connection.interrupt()

    def abandon(self) -> None:
        """Cut the connection. Never raises."""
        self._connection.close()

    def _no_header(self, packet: Packet) -> VolumeError | RemoteProtocolError:
        if isinstance(packet, Signal):
            return RemoteProtocolError(f"{self._connection.peer} sent the signal {packet.name} during {_PHASE}")
        refusal = parse_refusal(packet)
        if refusal is not None:
            return refused(self._connection, refusal)
        return RemoteProtocolError(f"{self._connection.peer} sent no header of a record during {_PHASE}", packet)

    def _no_data(self, header: RecordHeader, packet: Packet) -> RemoteProtocolError:
        what = packet.name if isinstance(packet, Signal) else f"{len(packet):,} bytes"
        return RemoteProtocolError(
            f"{self._connection.peer} announced {header.size:,} bytes of FileIndex {header.file_index}, and sent {what}"
        )
