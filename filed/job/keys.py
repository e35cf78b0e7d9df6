"""A Job's key files, loaded in the job process alone."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

from filed.errors import ConfigError
from filed.job.description import KeyFiles
from filed.pipeline import Cipher, Keyring, PkiKeys, SignatureDigest, load_keyring
from filed.pipeline.keys import check_strength, load_certificate, load_key_pair

E = TypeVar("E", bound=Enum)


def load_keys(files: KeyFiles | None) -> PkiKeys | None:
    """What a backup signs and encrypts with. Raises ConfigError naming file and fault, also for a key that is too short."""
    if files is None:
        return None
    pair, masters = load_key_pair(files.pair), tuple(map(load_certificate, files.masters))
    for path, certificate in zip((files.pair, *files.masters), (pair.certificate, *masters), strict=True):
        check_strength(certificate, path)
    return PkiKeys(
        pair=pair,
        masters=masters,
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


def why_no_backup(files: KeyFiles | None) -> str:
    """Why these keys are good for restores alone, "" when they serve backups too. Raises ConfigError for files that are no use at all."""
    if files is None:
        return ""
    keyring(files)
    for master in files.masters:
        load_certificate(master)
    try:
        load_keys(files)
    except ConfigError as error:
        return str(error)
    return ""


def _named(kind: type[E], name: str, directive: str) -> E:
    try:
        return kind[name.upper()]
    except KeyError:
        known = ", ".join(member.name.lower() for member in kind)
        raise ConfigError(f"{directive}: {name!r} is none of {known}") from None
