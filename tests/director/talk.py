"""The other end of a DirectorConnection: a Director that knows the password."""

from __future__ import annotations

from filed.director.connection import DirectorConnection, Event, KnownDirector
from filed.wire.auth import AUTH_OK, Challenge, TlsNeed, secret_of
from filed.wire.frame import Packet

SECRET = secret_of(b"password")
DIRECTOR = KnownDirector("a dir", SECRET)


def connection(director: KnownDirector = DIRECTOR, disabled: tuple[str, ...] = ()) -> DirectorConnection:
    return DirectorConnection("a-fd", {director.name: director}, 4711, 1795428868, {director.name: disabled})


def say(ours: DirectorConnection, *packets: Packet) -> list[Event]:
    return [event for packet in packets for event in ours.receive(packet)]


def hello(
    ours: DirectorConnection, name: bytes = b"a\x01dir", secret: bytes = SECRET, tls: TlsNeed = TlsNeed.NONE
) -> list[Event]:
    """A whole greeting from the Director's side. Returns the events of its last packet."""
    say(ours, b"Hello Director %b calling 103\n" % name)
    (challenge,) = ours.to_send()
    assert isinstance(challenge, bytes)
    say(ours, Challenge.parse(challenge).response(secret))
    assert ours.to_send() == [AUTH_OK]
    theirs = Challenge.fresh(b"a-dir", 42, 1795428868, tls)
    say(ours, theirs.format())
    (response,) = ours.to_send()
    assert isinstance(response, bytes)
    assert theirs.accepts(secret, response)
    return say(ours, AUTH_OK)
