"""Contents of files, and what their records say when read by the plainest code there is."""

from __future__ import annotations

import struct
import zlib

import zstandard
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lzallright import LZOCompressor

from filed.pipeline.der import parse_session
from filed.pipeline.keys import KeyPair, load_certificate, load_key_pair
from filed.pipeline.plan import PkiKeys
from tests.vector_keys import KEYS

CHUNK, SPARSE_CHUNK = 65536, 65528

CLIENT = load_key_pair(KEYS / "TEST-ONLY-client.pem")
MASTER = load_key_pair(KEYS / "TEST-ONLY-master.pem")
ENCRYPTING = PkiKeys(CLIENT, (load_certificate(KEYS / "TEST-ONLY-master.crt"),))
SIGNING = PkiKeys(CLIENT, encrypt=False)


def text(size: int) -> bytes:
    """Compressible, and different everywhere."""
    lines = b"".join(b"%07d the quick brown fox\n" % number for number in range(size // 28 + 1))
    return lines[:size]


def plain_content(records: list[tuple[int, bytes]], pair: KeyPair = CLIENT) -> tuple[bytes, list[bytes]]:
    """(the file, its chunks as sent) of all records of one file."""
    content, chunks = bytearray(), []
    stream = next((stream for stream, _ in records if stream in (2, 4, 6, 7, 29, 30, 20, 23, 32)), 0)
    bodies = [record for number, record in records if number == stream]
    if stream in (20, 23, 32):
        bodies = _packets(next(record for number, record in records if number == 22), b"".join(bodies), pair)
    for body in bodies:
        address = len(content)
        if stream in (6, 7, 30):
            address, body = int.from_bytes(body[:8], "big"), body[8:]  # noqa: PLW2901 - peeled layer by layer
        if stream in (4, 7, 23):
            body = zlib.decompress(body)  # noqa: PLW2901
        elif stream in (29, 30, 32):
            body = _expanded(body)  # noqa: PLW2901
        content += bytes(address - len(content)) + body
        chunks.append(body)
    return bytes(content), chunks


def _expanded(body: bytes) -> bytes:
    algorithm, size, level, version = struct.unpack_from(">IIHH", body)
    assert (size, level, version) == (len(body) - 12, 0, 1)
    return LZOCompressor.decompress(body[12:]) if algorithm == 0x4C5A4F58 else zstandard.decompress(body[12:])


def _packets(session: bytes, cipher_text: bytes, pair: KeyPair) -> list[bytes]:
    _, iv, recipients = parse_session(session)
    wrapped = next(to.wrapped_key for to in recipients if to.key_id == pair.certificate.key_id)
    key = pair.private_key.decrypt(wrapped, PKCS1v15())
    plain = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor().update(cipher_text)
    plain = plain[: -plain[-1]] if plain else b""
    packets = []
    while plain:
        size = int.from_bytes(plain[:4], "big")
        packets.append(plain[4 : 4 + size])
        assert len(packets[-1]) == size
        plain = plain[4 + size :]
    return packets
