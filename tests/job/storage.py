"""A Storage Daemon that keeps what it is sent in memory and sends it back: one connection at a time, no checks."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from typing import Self

from filed.wire.auth import AUTH_OK, Challenge, TlsNeed
from filed.wire.frame import FrameReader, More, Packet, Signal, pack_packet, pack_signal
from filed.wire.storage import StorageCall

KEY = b"KEY"
TIMEOUT_S = 30
Kept = tuple[int, int, bytes]  # FileIndex, stream, data


class Storage:
    """records: of all append sessions.  jobs: the unique names that came.  read_sessions: how often it was read.

    before_close: called when everything of an append session is there, and not confirmed yet.
    """

    def __init__(self, *, close_status: int = 84) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.records: list[Kept] = []
        self.jobs: list[bytes] = []
        self.read_sessions = 0
        self.before_close: Callable[[], None] = lambda: None
        self._close_status = close_status
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def call(self, port: int, job: bytes, key: bytes = KEY) -> bool:
        """Call a File Daemon for a Job, and serve it until it goes. False when one of the two does not accept the other."""
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.settimeout(TIMEOUT_S)
            sock.sendall(pack_packet(StorageCall(job, 306).format()))
            return self._talk(sock, key)

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock:
                self._talk(sock, KEY)

    def _talk(self, sock: socket.socket, key: bytes) -> bool:
        try:
            _Talk(sock, self, self._close_status, key).serve()
        except (ConnectionError, AssertionError):
            return False
        return True


class _Talk:
    def __init__(self, sock: socket.socket, storage: Storage, close_status: int, key: bytes) -> None:
        self._sock, self._storage, self._close_status, self._key = sock, storage, close_status, key
        self._reader = FrameReader()

    def serve(self) -> None:
        hello = self._text()
        self._storage.jobs.append(hello.split()[5])
        ours = Challenge.fresh(b"a-sd", 7, 1795428868, TlsNeed.NONE)
        self._say(ours.format())
        assert ours.accepts(self._key, self._text())
        self._say(AUTH_OK)
        self._say(Challenge.parse(self._text()).response(self._key))
        assert self._text() == AUTH_OK
        self._say(b"3000 OK Hello 306\n")
        asked = self._text()
        self._say(b"3000 OK open ticket = 1\n")
        self._text()
        self._say(b"3000 OK data\n")
        if asked.startswith(b"append"):
            self._append()
        else:
            self._read()
        while self._packet() is not Signal.TERMINATE:
            pass

    def _append(self) -> None:
        while (header := self._packet()) is not Signal.EOD:
            assert isinstance(header, bytes)
            file_index, stream, _ = map(int, header.split())
            while (data := self._packet()) is not Signal.EOD:
                assert isinstance(data, bytes)
                self._storage.records.append((file_index, stream, data))
        self._say(b"3000 OK append data\n")
        self._text()
        self._say(b"3000 OK end\n")
        self._text()
        self._storage.before_close()
        self._say(b"3000 OK close Status = %d\n" % self._close_status)

    def _read(self) -> None:
        self._storage.read_sessions += 1
        for file_index, stream, data in self._storage.records:
            if stream == 1 and re.match(rb"\d+ 23 ", data):
                continue
            self._say(b"rechdr 1 17 %d %d %d" % (file_index, stream, len(data)))
            self._say(data)
        self._sock.sendall(pack_signal(Signal.EOD))
        self._text()
        self._say(b"3000 OK close Status = 82\n")

    def _say(self, text: bytes) -> None:
        self._sock.sendall(pack_packet(text))

    def _text(self) -> bytes:
        packet = self._packet()
        assert isinstance(packet, bytes), packet
        return packet

    def _packet(self) -> Packet:
        while (packet := self._reader.next_packet()) is More.NEEDED:
            data = self._sock.recv(65536)
            if not data:
                raise ConnectionResetError
            self._reader.receive(data)
        assert not isinstance(packet, More)
        return packet
