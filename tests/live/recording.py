"""A proxy between two of Bacula's daemons that writes down what they say, packet by packet.

    with Recorder(to_port) as recorder:
        ... let somebody connect to recorder.port ...
        for conversation in recorder.conversations: print(conversation.text("DIR", "FD"))

Bytes pass as they come; they are cut into packets afterwards. TLS is passed, too, but cannot be read.
"""

from __future__ import annotations

import select
import socket
import threading
from dataclasses import dataclass, field
from typing import Self

from filed.wire.frame import FrameReader, More, Packet, Signal

CHUNK_BYTES = 65_536
LOCALHOST = "127.0.0.1"


@dataclass
class Conversation:
    """One connection. chunks: (did the side that connected say it?, bytes), in the order of passing.  caller: his address."""

    caller: str = ""
    chunks: list[tuple[bool, bytes]] = field(default_factory=list)

    def packets(self) -> list[tuple[bool, Packet]]:
        """(did the side that connected send it?, packet)."""
        readers = {True: FrameReader(), False: FrameReader()}
        said: list[tuple[bool, Packet]] = []
        for caller, data in self.chunks:
            readers[caller].receive(data)
            while (packet := readers[caller].next_packet()) is not More.NEEDED:
                said.append((caller, packet))
        return said

    def raw(self, caller: object) -> bytes:
        """All that one side sent."""
        return b"".join(data for side, data in self.chunks if side is bool(caller))

    def text(self, caller: str, called: str) -> str:
        """The form of tests/wire/*.txt."""
        lines = []
        for from_caller, packet in self.packets():
            what = f"<{packet.name}>" if isinstance(packet, Signal) else repr(packet)[2:-1]
            lines.append(f"{caller if from_caller else called} {what}\n")
        return "".join(lines)


class Recorder:
    """Listens on `port`, and passes each connection on to `target` on this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((LOCALHOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.conversations: list[Conversation] = []
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()
        self._thread.join()
        self._listener.close()
        self._stopped.close()

    def _serve(self) -> None:
        other: dict[socket.socket, socket.socket] = {}
        about: dict[socket.socket, tuple[bool, Conversation]] = {}
        while True:
            ready, _, _ = select.select([self._listener, self._stopped, *other], [], [])
            if self._stopped in ready:
                break
            for sock in ready:
                if sock is self._listener:
                    near, address = self._listener.accept()
                    far = socket.create_connection((LOCALHOST, self._target))
                    other |= {near: far, far: near}
                    conversation = Conversation(address[0])
                    self.conversations.append(conversation)
                    about |= {near: (True, conversation), far: (False, conversation)}
                elif sock in other:
                    self._pass_on(sock, other, about)
        for sock in other:
            sock.close()

    def _pass_on(
        self,
        sock: socket.socket,
        other: dict[socket.socket, socket.socket],
        about: dict[socket.socket, tuple[bool, Conversation]],
    ) -> None:
        caller, conversation = about[sock]
        try:
            data = sock.recv(CHUNK_BYTES)
            if data:
                conversation.chunks.append((caller, data))
                other[sock].sendall(data)
        except ConnectionError:
            data = b""
        if not data:
            peer = other.pop(sock)
            other.pop(peer, None)
            sock.close()
            peer.close()
