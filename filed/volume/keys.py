"""The keys of encrypted Volumes, as files: what a Storage Daemon's key program (`Encryption Command`) prints, and keeps.

    cipher: AES_256_XTS
    cipher_key: <base64 of 32 bytes for AES_128_XTS, 64 for AES_256_XTS>
    volume_name: Vol-0001            without it, the key is tried on every Volume that has none of its own

Source: docs/formats/volume.md.
"""

from __future__ import annotations

import base64
import binascii
import re
import stat as st
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from filed.config.trust import how_to_hide, usable_by_others
from filed.errors import ConfigError

MAX_FILE_BYTES: Final = 64 << 10
KEY_BYTES: Final = {b"AES_128_XTS": 32, b"AES_256_XTS": 64}
_LINE: Final = re.compile(rb"^\s*(cipher|cipher_key|volume_name)\s*:\s*(\S+)\s*$", re.MULTILINE)


class VolumeKeys:
    """Which key opens which Volume. named: by the name of the Volume."""

    def __init__(self, named: Mapping[str, bytes] | None = None, other: bytes | None = None) -> None:
        self._named, self._other = dict(named or {}), other

    def of(self, volume: str) -> bytes | None:
        return self._named.get(volume, self._other)


NO_KEYS: Final = VolumeKeys()


def read_volume_keys(paths: Iterable[Path]) -> VolumeKeys:
    """paths: key files, or directories of them.  Raises ConfigError for what is none, and for one that others can read or write."""
    named: dict[str, bytes] = {}
    other: bytes | None = None
    for file in _files(paths):
        name, key = _key(file)
        if name:
            named[name] = key
        elif other is None:
            other = key
        else:
            raise ConfigError("a second key without a volume_name: nobody can tell which Volume it opens", str(file))
    return VolumeKeys(named, other)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        try:
            found = sorted(path.iterdir()) if path.is_dir() else [path]
        except OSError as error:
            raise ConfigError(f"the Volume keys cannot be read: {error.strerror}", str(path)) from error
        yield from (file for file in found if file == path or not file.is_dir())


def _key(path: Path) -> tuple[str, bytes]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES)
        open_to = usable_by_others(path, path.stat(), group=st.S_IWGRP)
        reachable = sys.platform == "win32" or path.resolve().parent.stat().st_mode & st.S_IXOTH
    except OSError as error:
        raise ConfigError(f"the Volume key cannot be read: {error.strerror}", str(path)) from error
    if open_to and reachable:
        raise ConfigError(f"others can read or write this Volume key; run: {how_to_hide(path, '600')}", str(path))
    said = dict(_LINE.findall(text))
    try:
        key = base64.b64decode(said[b"cipher_key"], validate=True)
    except (KeyError, binascii.Error) as error:
        raise ConfigError("no Volume key in it: a line `cipher_key: <base64>` is needed", str(path)) from error
    wanted = KEY_BYTES.get(said.get(b"cipher", b""), len(key))
    if len(key) != wanted or len(key) not in KEY_BYTES.values():
        raise ConfigError(f"a Volume key of {len(key)} bytes; AES_128_XTS has 32, AES_256_XTS has 64", str(path))
    return said.get(b"volume_name", b"").decode("utf-8", "surrogateescape"), key
