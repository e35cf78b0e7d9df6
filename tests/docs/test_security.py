"""docs/security.md is true: each attack names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "security.md").read_text().partition("## Attacks that were tried")[2]
ROWS = [re.split(r"(?<!\\)\|", line)[1:-1] for line in TABLE.splitlines() if line.startswith("| ")][2:]


def test_each_attack_has_a_result_and_a_test() -> None:
    assert len(ROWS) > 30
    assert all(len(row) == 3 and all(cell.strip() for cell in row) for row in ROWS)


@pytest.mark.parametrize("named", [row[2] for row in ROWS])
def test_each_test_that_is_named_is_there(named: str) -> None:
    file, *tests = re.findall(r"`([^`]+)`", named)
    text = (ROOT / file).read_text()
    assert tests
    for test in tests:
        assert f"def {test}(" in text, f"{file} has no {test}"
