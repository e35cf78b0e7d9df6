"""A Job's key files, loaded in the job process alone."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

from filed.errors import ConfigError
from filed.job.description import KeyFiles
from filed.pipeline import Cipher, Keyring, PkiKeys, SignatureDigest, load_keyring
from filed.pipeline.keys import load_certificate, load_key_pair

E = TypeVar("E", bound=Enum)


def load_keys(files: KeyFiles | None) -> PkiKeys | None:
    """What a backup signs and encrypts with. Raises ConfigError naming file and fault."""
    if files is None:
        return None
    return PkiKeys(
        pair=load_key_pair(files.pair),
        masters=tuple(map(load_certificate, files.masters)),
        encrypt=files.encrypt,
        cipher=_named(Cipher, files.cipher, "PKI Cipher"),
        digest=_named(SignatureDigest, files.digest, "PKI Digest"),
    )


def keyring(files: KeyFiles | None) -> Keyring:
    """What a restore opens and checks with; empty without keys. A master key reads, but its signature proves nothing."""
    if files is None:
        return Keyring()
    demanded = not files.accept_unsigned
    return load_keyring((files.pair, *files.signers), signed=demanded, encrypted=demanded and files.encrypt)


def _named(kind: type[E], name: str, directive: str) -> E:
    try:
        return kind[name.upper()]
    except KeyError:
        known = ", ".join(member.name.lower() for member in kind)
        raise ConfigError(f"{directive}: {name!r} is none of {known}") from None
