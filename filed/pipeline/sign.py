"""Signatures over a file's content (stream 19): RSASSA-PKCS1-v1_5 with the daemon's own key.

Source: docs/formats/encryption.md.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from filed.errors import StreamError
from filed.pipeline.digest import Digest
from filed.pipeline.keys import KeyPair, Keyring
from filed.wire.stream import Buffer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed


class SignatureDigest(Enum):
    """`PKI Digest`: digest OID, signature OID, and the digest itself."""

    SHA256 = ("2.16.840.1.101.3.4.2.1", "1.2.840.113549.1.1.11", Digest.SHA256)
    SHA1 = ("1.3.14.3.2.26", "1.2.840.113549.1.1.5", Digest.SHA1)
    MD5 = ("1.2.840.113549.2.5", "1.2.840.113549.1.1.4", Digest.MD5)
    SHA512 = ("2.16.840.1.101.3.4.2.3", "1.2.840.113549.1.1.13", Digest.SHA512)

    @property
    def digest(self) -> Digest:
        return self._value_[2]


_WEAK = frozenset({SignatureDigest.SHA1, SignatureDigest.MD5})


class Signed(Enum):
    """What a signature record turned out to be."""

    VALID = "valid"
    WEAK = "its digest, MD5 or SHA-1, no longer proves who made it"
    INVALID = "the content or the signature was changed"
    UNKNOWN_SIGNER = "nobody whose certificate was given signed it"
    UNCHECKED = "its digest was not calculated while reading"


def sign(pair: KeyPair, kind: SignatureDigest, digest: bytes) -> bytes:
    """The signature record for content with this digest; 240 us with RSA of 2048 bits."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415 - start-up time

    from filed.pipeline.der import Signer, pack_signatures  # noqa: PLC0415

    signature = pair.private_key.sign(digest, PKCS1v15(), _prehashed(kind))
    digest_oid, signature_oid, _ = kind.value
    return pack_signatures([Signer(pair.certificate.key_id, digest_oid, signature_oid, signature)])


def signature_digests(record: Buffer) -> set[Digest]:
    """The digests one must calculate to check a signature record; StreamError when it is damaged."""
    from filed.pipeline.der import parse_signatures  # noqa: PLC0415 - start-up time

    kinds = (_kind(signer.digest_algorithm) for signer in parse_signatures(bytes(record)))
    return {kind.digest for kind in kinds if kind is not None}


def verify(record: Buffer, keyring: Keyring, digests: dict[Digest, bytes]) -> Signed:
    """Checks the signature of the first signer we know.  StreamError when the record is damaged."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415

    from filed.pipeline.der import parse_signatures  # noqa: PLC0415

    for signer in parse_signatures(bytes(record)):
        certificate = keyring.signer(signer.key_id)
        if certificate is None:
            continue
        kind = _kind(signer.digest_algorithm)
        if kind is None:
            raise StreamError(f"signed with a digest that is not known ({signer.digest_algorithm})")
        digest = digests.get(kind.digest)
        if digest is None:
            return Signed.UNCHECKED
        try:
            certificate.public_key.verify(signer.signature, digest, PKCS1v15(), _prehashed(kind))
        except InvalidSignature:
            return Signed.INVALID
        return Signed.WEAK if kind in _WEAK else Signed.VALID
    return Signed.UNKNOWN_SIGNER


def _kind(oid: str) -> SignatureDigest | None:
    return next((kind for kind in SignatureDigest if kind.value[0] == oid), None)


def _prehashed(kind: SignatureDigest) -> Prehashed:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed  # noqa: PLC0415

    match kind:
        case SignatureDigest.SHA256:
            return Prehashed(hashes.SHA256())
        case SignatureDigest.SHA1:
            return Prehashed(hashes.SHA1())  # noqa: S303 - old Volumes are signed with it
        case SignatureDigest.MD5:
            return Prehashed(hashes.MD5())  # noqa: S303 - as above
        case SignatureDigest.SHA512:
            return Prehashed(hashes.SHA512())
