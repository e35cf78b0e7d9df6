"""Encrypted data: a session per file, and the file's packets in one CBC stream.

Session (stream 22), DER, bare OIDs, the SET sorted by encoding:

    SEQUENCE { INTEGER 0, OID cipher, OCTET STRING iv,
               SET OF SEQUENCE { INTEGER 0, OCTET STRING key id, OID rsaEncryption, OCTET STRING wrapped key } }

Data: every chunk, compressed or not, is a packet `u32 length | bytes`; all packets of a file are one byte string,
CBC, PKCS#7 at its end.  A record holds the whole cipher blocks there are after one packet; the last block is a record
of its own.  Real daemons restore one packet per record, and two at the end.  They get no more even when a packet ends
with a block, as long as packets before the last have 31 bytes: no codec packs a full chunk smaller.

Real daemons use one key and IV for a whole Job.  We take fresh ones for each file: equal beginnings of two files then
do not show, and a real daemon restores it.

Source: docs/formats/encryption.md.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from filed.errors import KeysError, StreamError
from filed.pipeline.compress import HEADER, MAX_CHUNK_BYTES
from filed.pipeline.keys import Certificate, Cipher, Keyring
from filed.pipeline.workers import Slot
from filed.wire.stream import Buffer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

BLOCK: Final = 16
LENGTH: Final = struct.Struct(">I")
MEMORY_BYTES: Final = 1280 * 1024  # for a record, a joined one too, and the beginning of a packet
MAX_PACKET_BYTES: Final = MAX_CHUNK_BYTES + HEADER.size
RSA_ENCRYPTION: Final = "1.2.840.113549.1.1.1"


@dataclass(frozen=True, slots=True)
class SessionKey:
    """What opens one file's data."""

    cipher: Cipher
    key: bytes = field(repr=False)
    iv: bytes

    @classmethod
    def fresh(cls, cipher: Cipher) -> SessionKey:
        secret = os.urandom(cipher.key_bytes + BLOCK)
        return cls(cipher, secret[BLOCK:], secret[:BLOCK])

    def seal(self, recipients: Sequence[Certificate]) -> bytes:
        """The session record: any one of the recipients' private keys opens it."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415 - start-up time

        from filed.pipeline.der import Recipient, pack_session  # noqa: PLC0415

        wrapped = [
            Recipient(to.key_id, RSA_ENCRYPTION, to.public_key.encrypt(self.key, PKCS1v15())) for to in recipients
        ]
        return pack_session(self.cipher.oid, self.iv, wrapped)


def open_session(record: Buffer, keyring: Keyring) -> SessionKey:
    """The key in a session record.  StreamError when it is damaged, or for whom it is when we have no such key."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415 - start-up time

    from filed.pipeline.der import parse_session  # noqa: PLC0415

    oid, iv, recipients = parse_session(bytes(record))
    cipher = next((cipher for cipher in Cipher if cipher.oid == oid), None)
    if cipher is None:
        raise StreamError(f"encrypted with a cipher that is not known ({oid})")
    if len(iv) != BLOCK:
        raise StreamError("session data with an IV of another length")
    for recipient in recipients:
        pair = keyring.pair(recipient.key_id)
        if pair is None:
            continue
        key = b""
        with suppress(ValueError):  # seldom: OpenSSL 3.2 and later give random bytes of a random length instead
            key = pair.private_key.decrypt(recipient.wrapped_key, PKCS1v15())
        if len(key) != cipher.key_bytes:
            raise StreamError(
                f"the session key cannot be unwrapped with key pair {recipient.key_id.hex()}: the record is damaged, "
                "or another key pair has this key identifier"
            )
        return SessionKey(cipher, key, iv)
    wanted = ", ".join(recipient.key_id.hex() for recipient in recipients)
    raise KeysError(
        f"encrypted for the keys {wanted or '(none)'}: give the key pair of one of them (--keys, or PKI Keypair in the conf)"
    )


class PacketCipher:
    """The encryption of one file: packets in, records out."""

    def __init__(self, session: SessionKey, stream: int) -> None:
        self._stream = stream
        self._context = _context(session, encrypt=True)
        self._held = 0  # bytes of the last, unfinished cipher block

    def packets(self, chunks: Sequence[Buffer]) -> list[tuple[int, Buffer]]:
        """The records of some chunks, one for each or none where no block got full."""
        parts: list[Buffer] = []
        for chunk in chunks:
            parts += (LENGTH.pack(len(chunk)), chunk)
        # One call for all: the library releases the GIL only above 64 KiB.
        cipher_text = memoryview(self._context.update(b"".join(parts)))
        records: list[tuple[int, Buffer]] = []
        start = 0
        for chunk in chunks:
            blocks, self._held = divmod(self._held + LENGTH.size + len(chunk), BLOCK)
            if blocks:
                records.append((self._stream, cipher_text[start : start + blocks * BLOCK]))
                start += blocks * BLOCK
        return records

    def later_packets(self, chunks: Slot[list[tuple[int, Buffer]]]) -> list[tuple[int, Buffer]]:
        """`packets` of chunks that are still being compressed."""
        return self.packets([chunk for _, chunk in chunks.wait()])

    def finish(self) -> list[tuple[int, Buffer]]:
        """The last record: one padded block."""
        padding = BLOCK - self._held
        return [(self._stream, self._context.update(bytes((padding,)) * padding))]


class PacketReader:
    """The decryption of one file, however its cipher text is cut into records.  A packet is good until the next `feed`."""

    def __init__(self, session: SessionKey) -> None:
        self._context = _context(session, encrypt=False)
        self._memory = memoryview(b"")  # one for all packets, so that the caches hold it
        self._at = self._end = 0  # what is not yet given out lies between; its last block may be the padding
        self._fed = 0

    def feed(self, record: Buffer) -> Iterator[memoryview]:
        """The packets that are now complete."""
        size = len(record) + BLOCK - 1
        if self._end + size > len(self._memory):
            held = self._memory[self._at : self._end]
            if len(held) + size > len(self._memory):
                self._memory = memoryview(bytearray(max(2 * len(held) + size, MEMORY_BYTES)))
            self._at, self._end = 0, len(held)
            self._memory[: self._end] = held
        self._fed += len(record)
        self._end += self._context.update_into(record, self._memory[self._end :])
        return self._cut(self._end - BLOCK)

    def finish(self) -> Iterator[memoryview]:
        """The last packets.  StreamError when the data does not end in padding after a whole packet."""
        if not self._fed:
            return
        plain = self._memory[self._at : self._end]
        padding = plain[-1] if plain else 0
        if self._fed % BLOCK or not 0 < padding <= BLOCK or plain[-padding:] != bytes((padding,)) * padding:
            raise StreamError("encrypted data is cut short, or was encrypted with another key")
        yield from self._cut(self._end - padding)
        if self._end - self._at != padding:
            raise StreamError("encrypted data ends in the middle of a packet")

    def _cut(self, end: int) -> Iterator[memoryview]:
        while end - self._at >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._memory, self._at)
            if size > MAX_PACKET_BYTES:
                raise StreamError(f"an encrypted packet claims {size} bytes; the key may be another's")
            begin = self._at + LENGTH.size
            if end - begin < size:
                break
            self._at = begin + size
            yield self._memory[begin : self._at].toreadonly()


def _context(session: SessionKey, *, encrypt: bool) -> CipherContext:
    from cryptography.hazmat.primitives import ciphers  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.modes import CBC  # noqa: PLC0415

    cipher = ciphers.Cipher(AES(session.key), CBC(session.iv))
    return cipher.encryptor() if encrypt else cipher.decryptor()
