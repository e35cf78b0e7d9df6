"""A Director that is called: its side of the greeting, on a socket."""

from __future__ import annotations

import socket

from filed.wire.auth import AUTH_OK, Challenge, TlsNeed
from tests.director.dialogue import PacketEnd
from tests.director.talk import SECRET

HELLO = b"Hello a-fd fdcallsdir 1 tlspsk=0\n"
ACCEPTED = (b"1000 OK: 10002 a-dir Version: 15.0.3 (25 March 2025)\n", b"OK\n")


class CalledDirector(PacketEnd):
    def __init__(self, sock: socket.socket, secret: bytes = SECRET) -> None:
        super().__init__(sock)
        self._secret = secret

    def greet(self) -> bytes:
        """Up to our OK; returns the Hello."""
        hello = self.packet()
        assert isinstance(hello, bytes)
        ours = Challenge.fresh(b"a-dir", 42, 1795428868, TlsNeed.NONE)
        self.say(ours.format())
        response = self.packet()
        assert isinstance(response, bytes)
        if not ours.accepts(self._secret, response):
            self.say(b"1999 Authorization failed.\n")
            return hello
        self.say(AUTH_OK)
        theirs = self.packet()
        assert isinstance(theirs, bytes)
        self.say(Challenge.parse(theirs).response(self._secret))
        assert self.packet() == AUTH_OK
        self.say(*ACCEPTED)
        return hello
