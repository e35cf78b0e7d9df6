"""docs/differences.md: each line has a test that puts the case to both File Daemons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = [
    line
    for line in (ROOT / "docs/differences.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("| |", "|---"))
]
OF_BOTH = re.compile(r"^from tests\.live\.daemons import .*\b(BOTH|debians)\b", re.MULTILINE)


def test_there_are_lines() -> None:
    assert len(LINES) > 10


@pytest.mark.parametrize("line", LINES)
def test_the_line_names_a_test_of_both(line: str) -> None:
    found = re.search(r"\| `(test_\w+\.py)::(test_\w+)` \|$", line)
    assert found, line
    module = (ROOT / "tests/live" / found[1]).read_text()
    assert f"\ndef {found[2]}(" in module
    assert OF_BOTH.search(module), f"{found[1]} runs filed alone"
