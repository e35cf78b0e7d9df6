"""Which tests do not run in a Windows Python: the table of docs/windows.md, each with its reason.

A line names a test, all of a file, or the beginning of the names of several. One that matches nothing is an error: the list stays true.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "windows.md"
ROW = re.compile(r"^\| `(tests/[^`]+)` \|", re.MULTILINE)
LEFT_OUT = tuple(ROW.findall(PAGE.read_text(encoding="utf-8")))


def named_by(row: str, test: str) -> bool:
    return test == row or test.startswith((row + "::", row + "[")) or (row.endswith("*") and test.startswith(row[:-1]))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file whose every test is left out may not even be imported there."""
    path = collection_path.relative_to(config.rootpath).as_posix()
    return True if path in LEFT_OUT else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    files = {item.nodeid.partition("::")[0] for item in items}
    unused = [
        row
        for row in LEFT_OUT
        if row.partition("::")[0] in files and not any(named_by(row, item.nodeid) for item in items)
    ]
    if unused:
        raise pytest.UsageError(f"{PAGE} leaves out tests that are not there: {', '.join(unused)}")
    left_out = [
        item for item in items if item.get_closest_marker("root") or any(named_by(row, item.nodeid) for row in LEFT_OUT)
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
