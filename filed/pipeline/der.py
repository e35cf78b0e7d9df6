"""The two DER structures of encrypted and signed files: session data (stream 22) and signature (stream 19).

Both use bare object identifiers where X.509 has AlgorithmIdentifier; a SET OF is in the order of its encodings.

Source: docs/formats/encryption.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from filed.errors import StreamError

T = TypeVar("T")
MAX_RECORD_BYTES: Final = 1 << 20  # some three thousand recipients


@dataclass(frozen=True, slots=True)
class Recipient:
    """A session key, wrapped for the owner of one key."""

    key_id: bytes
    algorithm: str
    wrapped_key: bytes


@dataclass(frozen=True, slots=True)
class Signer:
    """One signature over a file's content; the algorithms are OIDs."""

    key_id: bytes
    digest_algorithm: str
    signature_algorithm: str
    signature: bytes


@asn1.sequence
class _Recipient:
    version: int
    key_id: bytes
    algorithm: ObjectIdentifier
    wrapped_key: bytes


@asn1.sequence
class _CryptoData:
    version: int
    algorithm: ObjectIdentifier
    iv: bytes
    recipients: asn1.SetOf[_Recipient]


@asn1.sequence
class _Signer:
    version: int
    key_id: bytes
    digest_algorithm: ObjectIdentifier
    signature_algorithm: ObjectIdentifier
    signature: bytes


@asn1.sequence
class _SignatureData:
    version: int
    signers: asn1.SetOf[_Signer]


def pack_session(cipher: str, iv: bytes, recipients: Sequence[Recipient]) -> bytes:
    wrapped = [
        _Recipient(version=0, key_id=to.key_id, algorithm=ObjectIdentifier(to.algorithm), wrapped_key=to.wrapped_key)
        for to in recipients
    ]
    return asn1.encode_der(
        _CryptoData(version=0, algorithm=ObjectIdentifier(cipher), iv=iv, recipients=asn1.SetOf(wrapped))
    )


def parse_session(record: bytes) -> tuple[str, bytes, tuple[Recipient, ...]]:
    """(cipher OID, IV, recipients).  StreamError when it is not session data of version 0."""
    data = _decode(_CryptoData, record)
    recipients = data.recipients.as_list()
    if data.version or any(to.version for to in recipients):
        raise StreamError("session data of a version that is not known")
    return (
        data.algorithm.dotted_string,
        data.iv,
        tuple(Recipient(to.key_id, to.algorithm.dotted_string, to.wrapped_key) for to in recipients),
    )


def pack_signatures(signers: Sequence[Signer]) -> bytes:
    signatures = [
        _Signer(
            version=0,
            key_id=signer.key_id,
            digest_algorithm=ObjectIdentifier(signer.digest_algorithm),
            signature_algorithm=ObjectIdentifier(signer.signature_algorithm),
            signature=signer.signature,
        )
        for signer in signers
    ]
    return asn1.encode_der(_SignatureData(version=0, signers=asn1.SetOf(signatures)))


def parse_signatures(record: bytes) -> tuple[Signer, ...]:
    """StreamError when it is not a signature record of version 0."""
    data = _decode(_SignatureData, record)
    signers = data.signers.as_list()
    if data.version or any(signer.version for signer in signers):
        raise StreamError("a signature of a version that is not known")
    return tuple(
        Signer(
            signer.key_id,
            signer.digest_algorithm.dotted_string,
            signer.signature_algorithm.dotted_string,
            signer.signature,
        )
        for signer in signers
    )


def _decode(kind: type[T], record: bytes) -> T:
    if len(record) > MAX_RECORD_BYTES:
        raise StreamError("session or signature data of more than a megabyte")
    try:
        return asn1.decode_der(kind, record)
    except ValueError as error:
        raise StreamError(f"session or signature data is damaged ({error})") from error
