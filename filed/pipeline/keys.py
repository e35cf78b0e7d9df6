"""RSA keys: whose private key signs and opens, whose certificates may open, whose signatures are believed.

A key pair is a PEM file with an X.509 certificate and its unencrypted private key (PKCS#8 or PKCS#1).  A key's name
everywhere is its certificate's subjectKeyIdentifier; nothing else of the certificate is looked at, dates and trust
neither, as in real daemons.

Source: docs/formats/encryption.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filed.config.secrecy import PRIVATE_KEY, why_exposed
from filed.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

MAX_PEM_BYTES: Final = 1 << 20
LEAST_BITS: Final = 2048
"""Of keys that a backup uses. What was saved with smaller ones is still read."""

MAKE_A_PAIR: Final = (
    "umask 077 && openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj /CN=filed -addext subjectKeyIdentifier=hash"
    " -keyout key.pem -out cert.pem && cat cert.pem key.pem > pair.pem"
)


class Cipher(Enum):
    """`PKI Cipher`: OID and key length; all are CBC with an IV of 16 bytes."""

    AES128 = ("2.16.840.1.101.3.4.1.2", 16)
    AES192 = ("2.16.840.1.101.3.4.1.22", 24)
    AES256 = ("2.16.840.1.101.3.4.1.42", 32)

    @property
    def oid(self) -> str:
        return self._value_[0]

    @property
    def key_bytes(self) -> int:
        return self._value_[1]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A public key and its name."""

    key_id: bytes
    public_key: RSAPublicKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and the private key that belongs to it."""

    certificate: Certificate
    private_key: RSAPrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keyring:
    """What a restore may use: key pairs open sessions; signatures of the pairs and of `signers` can be checked.

    signed: content without a valid signature of one of them is refused.  encrypted: so is content stored in the clear.
    """

    pairs: tuple[KeyPair, ...] = ()
    signers: tuple[Certificate, ...] = ()
    signed: bool = False
    encrypted: bool = False

    @property
    def empty(self) -> bool:
        """Nothing can be opened or checked with it, and nothing is demanded."""
        return not (self.pairs or self.signers or self.signed or self.encrypted)

    def pair(self, key_id: bytes) -> KeyPair | None:
        return next((pair for pair in self.pairs if pair.certificate.key_id == key_id), None)

    def signer(self, key_id: bytes) -> Certificate | None:
        known = (*(pair.certificate for pair in self.pairs), *self.signers)
        return next((certificate for certificate in known if certificate.key_id == key_id), None)


def load_key_pair(path: Path) -> KeyPair:
    """ConfigError says which part is missing and how to make it."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - 40 ms of start-up
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    pem = read_pem(path)
    certificate = _certificate(pem, path)
    if PRIVATE_KEY not in pem:
        raise ConfigError(f"no private key in it, only a certificate; make a pair with: {MAKE_A_PAIR}", str(path))
    try:
        key = load_pem_private_key(_blocks(pem, b"PRIVATE KEY"), None)
    except TypeError as error:
        raise ConfigError("the private key needs a passphrase; remove it with: openssl pkey", str(path)) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"the private key cannot be read ({error})", str(path)) from error
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError("the private key is not RSA, the only kind Volumes know", str(path))
    if key.public_key().public_numbers() != certificate.public_key.public_numbers():
        raise ConfigError("the private key does not belong to the certificate", str(path))
    return KeyPair(certificate, key)


def load_certificate(path: Path) -> Certificate:
    """The certificate of a PEM file, which may hold a key too.  ConfigError says what is wrong."""
    return _certificate(read_pem(path), path)


def load_keyring(paths: Sequence[Path], *, signed: bool = False, encrypted: bool = False) -> Keyring:
    """Files that hold a private key become pairs, the others signers."""
    pairs, signers = [], []
    for path in paths:
        if PRIVATE_KEY in read_pem(path):
            pairs.append(load_key_pair(path))
        else:
            signers.append(load_certificate(path))
    return Keyring(tuple(pairs), tuple(signers), signed, encrypted)


def read_pem(path: Path) -> bytes:
    """The content of a key file.  ConfigError when others can write it, or read a private key in it."""
    try:
        with path.open("rb") as file:
            pem = file.read(MAX_PEM_BYTES + 1)
            status = os.fstat(file.fileno())
    except OSError as error:
        raise ConfigError(f"the key file cannot be read: {error.strerror}", str(path)) from error
    if len(pem) > MAX_PEM_BYTES:
        raise ConfigError("too long for a key file", str(path))
    if why := why_exposed(path, status, pem):
        raise ConfigError(why, str(path))
    return pem


def check_strength(certificate: Certificate, path: Path) -> None:
    """ConfigError for a key that is too short for new backups."""
    bits = certificate.public_key.key_size
    if bits < LEAST_BITS:
        raise ConfigError(
            f"its RSA key has {bits} bits, and backups need {LEAST_BITS} or more (restores still take it);"
            " make a new pair with: filed key new FILE",
            str(path),
        )


def _certificate(pem: bytes, path: Path) -> Certificate:
    from cryptography import x509  # noqa: PLC0415 - 40 ms of start-up
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415

    if b"BEGIN CERTIFICATE-----" not in pem:
        raise ConfigError(f"no certificate in it; make a pair with: {MAKE_A_PAIR}", str(path))
    try:
        certificate = x509.load_pem_x509_certificate(_blocks(pem, b"CERTIFICATE"))
        key = certificate.public_key()
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound as error:
        raise ConfigError(
            "the certificate has no subjectKeyIdentifier, by which Volumes name a key;"
            " make it anew with: openssl req -x509 -addext subjectKeyIdentifier=hash",
            str(path),
        ) from error
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ConfigError(f"the certificate cannot be read ({error})", str(path)) from error
    if not isinstance(key, RSAPublicKey):
        raise ConfigError("the certificate's key is not RSA, the only kind Volumes know", str(path))
    if not identifier:
        raise ConfigError("the certificate's subjectKeyIdentifier is empty", str(path))
    return Certificate(identifier, key)


def _blocks(pem: bytes, kind: bytes) -> bytes:
    """The PEM blocks whose label ends in `kind`; text and other blocks left out."""
    blocks = []
    for block in pem.split(b"-----BEGIN ")[1:]:
        label, _, rest = block.partition(b"-----")
        if label.endswith(kind):
            body = rest.partition(b"-----END ")[0]
            blocks.append(b"-----BEGIN %b-----%b-----END %b-----\n" % (label, body, label))
    return b"".join(blocks)
