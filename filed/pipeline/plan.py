"""What happens to the content of files: chosen once per set of FileSet Options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from filed.pipeline.compress import CHUNK_BYTES, Codec, Compression
from filed.pipeline.digest import Digest
from filed.pipeline.keys import Certificate, Cipher, KeyPair, load_certificate, load_key_pair
from filed.pipeline.sign import SignatureDigest
from filed.pipeline.sparse import SPARSE_CHUNK_BYTES
from filed.wire.stream import Stream


@dataclass(frozen=True, slots=True)
class PkiKeys:
    """Signing, and encryption too unless switched off.  Encrypted files are always signed, as real daemons do.

    The session key of each file is wrapped for the pair's own certificate and for each master's.
    """

    pair: KeyPair
    masters: tuple[Certificate, ...] = ()
    encrypt: bool = True
    cipher: Cipher = Cipher.AES128
    digest: SignatureDigest = SignatureDigest.SHA256

    @property
    def recipients(self) -> tuple[Certificate, ...]:
        return (self.pair.certificate, *self.masters)


def load_pki_keys(paths: Sequence[Path], *, encrypt: bool = True, cipher: Cipher = Cipher.AES128) -> PkiKeys:
    """The first file is the key pair, the others are master certificates.  ConfigError names file and fault."""
    return PkiKeys(load_key_pair(paths[0]), tuple(map(load_certificate, paths[1:])), encrypt, cipher)


@dataclass(frozen=True)
class Plan:
    """The Options that touch content.

    `sparse` is a wish: with encryption it is dropped, as real daemons do; with signatures too, because a real daemon
    checks them by reading the restored file, where the zeros left out of the signature are back.
    """

    digest: Digest | None = None
    compression: Compression | None = None
    sparse: bool = False
    crypto: PkiKeys | None = None

    @cached_property
    def leaves_holes(self) -> bool:
        return self.sparse and self.crypto is None

    @cached_property
    def chunk_bytes(self) -> int:
        return SPARSE_CHUNK_BYTES if self.leaves_holes else CHUNK_BYTES

    @cached_property
    def data_stream(self) -> int:
        """The stream of data records, and field 16 of the <stat> of files that can have them."""
        if self.crypto is not None and self.crypto.encrypt:
            return self._of_kind(
                Stream.ENCRYPTED_FILE_DATA, Stream.ENCRYPTED_FILE_GZIP_DATA, Stream.ENCRYPTED_FILE_COMPRESSED_DATA
            )
        return self.plain_stream

    @cached_property
    def plain_stream(self) -> int:
        """Field 16 for directories, links and devices: what it would be without encryption."""
        if self.leaves_holes:
            return self._of_kind(Stream.SPARSE_DATA, Stream.SPARSE_GZIP_DATA, Stream.SPARSE_COMPRESSED_DATA)
        return self._of_kind(Stream.FILE_DATA, Stream.GZIP_DATA, Stream.COMPRESSED_DATA)

    def _of_kind(self, plain: Stream, gzip: Stream, other: Stream) -> int:
        if self.compression is None:
            return int(plain)
        return int(gzip if self.compression.codec is Codec.GZIP else other)
