r"""Who is there: CRAM-MD5 in both directions, and what each side wants of TLS.

    challenge   "auth cram-md5 <rand.time@name> ssl=N" LF      answered in the old base64
                "auth cram-md5c <rand.time@name> ssl=N" LF     answered in base64 without padding
    response    base64(HMAC-MD5(secret, "<rand.time@name>")) NUL
    verdict     "1000 OK auth" LF  or  "1999 Authorization failed." LF

The side that accepted the connection challenges first; when that was answered well the roles change. `MutualProof` is either
side of it as packets in, packets out. The secret of a password is its MD5 in hex; the key that a Director hands out for a
Storage Daemon is the secret as it stands.

Source: docs/formats/network.md, "Authentication".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from filed.errors import AuthenticationError, LocalProtocolError, RemoteProtocolError

AUTH_OK: Final = b"1000 OK auth\n"
AUTH_FAILED: Final = b"1999 Authorization failed.\n"
MAX_CHALLENGE_BYTES: Final = 500
"""Names have at most 127 bytes; what is longer is no challenge, and we do not sign it."""

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_CHALLENGE: Final = re.compile(rb"auth cram-md5(c?) +(<[^\s<>\0]+>)(?: +ssl=([0-9]{1,3}))?\s*\0?")
_NAME: Final = re.compile(rb"[^\s<>\0]{1,127}")
_STARTTLS: Final = re.compile(rb"starttls tlspsk=([0-9]{1,4})\s*\0?")
_PSK_UNIT: Final = 100


class TlsNeed(IntEnum):
    """What one side says of TLS."""

    NONE = 0
    OK = 1  # possible
    REQUIRED = 2


class Encryption(Enum):
    """How a conversation is encrypted, once both sides have said what they can."""

    NONE = "not encrypted"
    CERTIFICATES = "by certificates"
    SHARED_KEY = "by the shared key"


class Base64(Enum):
    """How a response is written. OLD is what the real daemons ask for, of themselves and of us."""

    OLD = b"cram-md5"
    STANDARD = b"cram-md5c"


def secret_of(password: bytes) -> bytes:
    """The secret that two daemons share when their confs share a password."""
    return hashlib.md5(password, usedforsecurity=False).hexdigest().encode()


def encode_old_base64(data: bytes) -> bytes:
    """The older flavour: a byte of 0x80 and more turns the bits left over before it to ones; the last group is not aligned."""
    register = bits = 0
    text = bytearray()
    for byte in data:
        signed = byte - 256 if byte & 0x80 else byte
        register = (register << 8 | signed) & 0xFFFF_FFFF
        bits += 8
        while bits >= 6:
            bits -= 6
            text.append(_ALPHABET[register >> bits & 63])
    if bits:
        text.append(_ALPHABET[register & (1 << bits) - 1])
    return bytes(text)


@dataclass(frozen=True, slots=True)
class Challenge:
    """text: with its angle brackets. tls: None when nothing was said, as very old daemons do."""

    text: bytes
    base64: Base64 = Base64.OLD
    tls: TlsNeed | None = TlsNeed.NONE

    @classmethod
    def fresh(cls, name: bytes, random: int, now_s: int, tls: TlsNeed, flavour: Base64 = Base64.OLD) -> Challenge:
        """One that was never used before. random: 64 bits nobody can guess."""
        if not _NAME.fullmatch(name):
            raise LocalProtocolError(f"a daemon named {name!r} cannot challenge anybody")
        return cls(b"<%d.%d@%b>" % (random, now_s, name), flavour, tls)

    def format(self) -> bytes:
        need = b"" if self.tls is None else b" ssl=%d" % self.tls
        return b"auth %b %b%b\n" % (self.base64.value, self.text, need)

    @classmethod
    def parse(cls, packet: bytes) -> Challenge:
        """Raises RemoteProtocolError."""
        match = _CHALLENGE.fullmatch(packet) if len(packet) <= MAX_CHALLENGE_BYTES else None
        if match is None:
            raise RemoteProtocolError("a CRAM-MD5 challenge was expected", packet)
        standard, text, need = match.groups()
        if need is not None and int(need) not in (0, 1, 2):
            raise RemoteProtocolError("a challenge with an unknown need of TLS", packet)
        flavour = Base64.STANDARD if standard else Base64.OLD
        return cls(text, flavour, None if need is None else TlsNeed(int(need)))

    def response(self, secret: bytes) -> bytes:
        """What proves that we know the secret, NUL included."""
        return self._answers(secret)[self.base64] + b"\0"

    def accepts(self, secret: bytes, response: bytes) -> bool:
        """Is that the right response, in either flavour? Takes the same time for any wrong one."""
        given = response.rstrip(b"\0\n")
        right = [hmac.compare_digest(given, answer) for answer in self._answers(secret).values()]
        return any(right)

    def _answers(self, secret: bytes) -> dict[Base64, bytes]:
        digest = hmac.digest(secret, self.text, "md5")
        return {Base64.OLD: encode_old_base64(digest), Base64.STANDARD: base64.b64encode(digest).rstrip(b"=")}


@dataclass(frozen=True, slots=True)
class StartTls:
    """15.x: the accepting side begins TLS before anybody has proved anything. Also the `tlspsk=` of a Hello.

    tls: with certificates. psk: with the secret that both have anyway.
    """

    tls: TlsNeed = TlsNeed.NONE
    psk: TlsNeed = TlsNeed.NONE

    @property
    def number(self) -> int:
        return self.tls + _PSK_UNIT * self.psk

    @property
    def required(self) -> bool:
        return TlsNeed.REQUIRED in (self.tls, self.psk)

    def agree(self, theirs: StartTls, peer: str) -> Encryption:
        """What begins now, certificates before the key. Raises AuthenticationError when one side insists and the other cannot."""
        if self.tls and theirs.tls:
            return Encryption.CERTIFICATES
        if self.psk and theirs.psk:
            return Encryption.SHARED_KEY
        if self.required:
            raise AuthenticationError(f"{peer} does not offer TLS, which is required here; enable it there")
        if theirs.required:
            raise AuthenticationError(f"{peer} requires TLS, which is not enabled here; enable it in its resource")
        return Encryption.NONE

    @classmethod
    def from_number(cls, number: int) -> StartTls:
        """Raises RemoteProtocolError."""
        psk, tls = divmod(number, _PSK_UNIT)
        if not (0 <= psk <= TlsNeed.REQUIRED and 0 <= tls <= TlsNeed.REQUIRED):
            raise RemoteProtocolError(f"tlspsk={number} is no need of TLS")
        return cls(TlsNeed(tls), TlsNeed(psk))

    def format(self) -> bytes:
        return b"starttls tlspsk=%d\n" % self.number

    @classmethod
    def parse(cls, packet: bytes) -> StartTls | None:
        """None when it is some other packet. Raises RemoteProtocolError."""
        match = _STARTTLS.fullmatch(packet)
        return cls.from_number(int(match[1])) if match else None


NO_TLS_OFFER: Final = StartTls()


def wants_tls(ours: TlsNeed, theirs: TlsNeed | None, peer: str) -> bool:
    """Does TLS begin now? Raises AuthenticationError when one side insists and the other cannot."""
    theirs = theirs or TlsNeed.NONE
    if ours is TlsNeed.REQUIRED and theirs is TlsNeed.NONE:
        raise AuthenticationError(f"{peer} does not offer TLS, which is required here; enable it there")
    if theirs is TlsNeed.REQUIRED and ours is TlsNeed.NONE:
        raise AuthenticationError(f"{peer} requires TLS, which is not enabled here; enable it in its resource")
    return ours is not TlsNeed.NONE and theirs is not TlsNeed.NONE


class Proof(Enum):
    """How far a MutualProof is. The last two are ends."""

    WAIT_CHALLENGE = "waiting for a challenge"
    WAIT_RESPONSE = "waiting for a response"
    WAIT_VERDICT = "waiting for a verdict"
    GIVEN = "both sides have proved who they are"
    FAILED = "one side could not prove who it is"


class MutualProof:
    """Either side of the exchange: feed it each packet, send what it returns, until `state` is an end.

    challenge: ours, fresh. challenges_first: we accepted the connection. peer: for messages.
    A failure is a state and not an exception, since the peer has to be told first; `refusal` is the error to raise then.
    """

    def __init__(self, challenge: Challenge, secret: bytes, peer: str, *, challenges_first: bool) -> None:
        self.challenge = challenge
        self.their_tls: TlsNeed | None = None
        self.state = Proof.WAIT_RESPONSE if challenges_first else Proof.WAIT_CHALLENGE
        self._secret, self._peer = secret, peer
        self._first = challenges_first
        self._why = ""

    def begin(self) -> list[bytes]:
        """What to send before anything is received."""
        return [self.challenge.format()] if self._first else []

    def receive(self, packet: bytes) -> list[bytes]:
        """Take one packet; returns those to send. Raises RemoteProtocolError, and LocalProtocolError after the end."""
        match self.state:
            case Proof.WAIT_CHALLENGE:
                return self._challenged(packet)
            case Proof.WAIT_VERDICT:
                return self._judged(packet)
            case Proof.WAIT_RESPONSE:
                return self._answered(packet)
        raise LocalProtocolError(f"a packet for a proof that ended: {self.state.value}")

    @property
    def refusal(self) -> AuthenticationError:
        """Why it FAILED."""
        return AuthenticationError(f"{self._peer}: {self._why}")

    def _challenged(self, packet: bytes) -> list[bytes]:
        theirs = Challenge.parse(packet)
        if theirs.text == self.challenge.text:
            raise RemoteProtocolError("our own challenge came back", packet)
        self.their_tls = theirs.tls
        self.state = Proof.WAIT_VERDICT
        return [theirs.response(self._secret)]

    def _judged(self, packet: bytes) -> list[bytes]:
        if packet != AUTH_OK:
            if not packet.startswith(b"1999"):
                raise RemoteProtocolError("a verdict on our response was expected", packet)
            self._fail("it does not accept our response; is its password or key another one than ours?")
            return []
        if self._first:
            self.state = Proof.GIVEN
            return []
        self.state = Proof.WAIT_RESPONSE
        return [self.challenge.format()]

    def _answered(self, packet: bytes) -> list[bytes]:
        if not self.challenge.accepts(self._secret, packet):
            self._fail("it could not prove that it knows the password; is it another one there?")
            return [AUTH_FAILED]
        self.state = Proof.WAIT_CHALLENGE if self._first else Proof.GIVEN
        return [AUTH_OK]

    def _fail(self, why: str) -> None:
        self.state, self._why = Proof.FAILED, why
