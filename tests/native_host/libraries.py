"""Which of the host's own libraries tests load."""

from __future__ import annotations

import os
from pathlib import Path

from filed.process.native import DIRECTORY


def native_directory() -> Path:
    """As shipped, or with sanitizers, where FILED_TEST_AGENTS has them."""
    return Path(os.environ.get("FILED_TEST_AGENTS") or DIRECTORY)
