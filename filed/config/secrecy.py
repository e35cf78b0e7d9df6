"""Whether a file that holds secrets can be read by people it should not concern."""

from __future__ import annotations

import stat
from pathlib import Path

from filed.config.resources import Warnings
from filed.config.syntax import Place


def warn_if_readable(file: str, what: str, warnings: Warnings) -> None:
    """Add a warning when everybody on the machine can read `file`.  what: the secrets in it, for the sentence."""
    if not file:
        return
    try:
        mode = Path(file).stat().st_mode
    except OSError:
        return
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
        warnings.add(Place(file), f"this file holds {what} and everybody can read it; run: chmod o-r {file}")
