"""Trees for live tests; `jobs.shown` has what a restore must bring back of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LONG_AGO = 1_600_000_000


def plant(tree: Path, contents: dict[str, bytes]) -> None:
    """Make a tree of these files alone, with times of long ago."""
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    for name, content in contents.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    age(tree)


def age(tree: Path, when: int = LONG_AGO) -> None:
    """Give everything below and including `tree` times of long ago."""
    for path in (*tree.rglob("*"), tree):
        os.utime(path, (when, when), follow_symlinks=False)
