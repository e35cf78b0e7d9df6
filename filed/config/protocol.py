"""Which release's protocol a conf has us speak."""

from __future__ import annotations

from enum import StrEnum


class Protocol(StrEnum):
    """AUTO: that of the Director who calls."""

    AUTO = "auto"
    V9 = "9.6"
    V15 = "15"
