"""Whether a file that holds secrets can be read, or one that proves who somebody is be written, by people it should not concern."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from filed.config.resources import Warnings
from filed.config.syntax import Place
from filed.config.trust import how_to_hide, readable_by_others, why_writable

PRIVATE_KEY = b"PRIVATE KEY-----"
"""In the first line of a private key in a PEM file, of any kind."""


def warn_if_readable(file: str, what: str, warnings: Warnings) -> None:
    """Add a warning when everybody on the machine can read `file`.  what: the secrets in it, for the sentence."""
    if not file:
        return
    try:
        status = Path(file).stat()
    except OSError:
        return
    if stat.S_ISREG(status.st_mode) and readable_by_others(file, status):
        warnings.add(Place(file), f"this file holds {what} and everybody can read it; run: {how_to_hide(file)}")


def why_exposed(path: object, status: os.stat_result, pem: bytes) -> str:
    """Why a file of keys or certificates is no use, since others have or could change what is in it, and what to do; "" when it is not.

    pem: its content. The owner's group may read a private key: that is how a daemon without root's rights gets one.
    """
    if PRIVATE_KEY in pem and readable_by_others(path, status):
        return f"others can read this private key; run: {how_to_hide(path, '600')}"
    return why_writable(path, status)
