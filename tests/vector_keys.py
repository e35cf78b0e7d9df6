"""The keys of the vectors, where only their owner can read them: a checkout does not keep that, and filed refuses others."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path


def _private_keys() -> Path:
    copied = Path(tempfile.mkdtemp(prefix="filed-keys-"))
    atexit.register(shutil.rmtree, copied, ignore_errors=True)
    for file in (Path(__file__).resolve().parent / "vectors" / "keys").iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
        (copied / file.name).chmod(0o600)
    return copied


KEYS = _private_keys()
