"""Versions are rows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from filed.config.protocol import Protocol
from filed.wire.version import V9_6_7, V15_0_3, VERSIONS, numbered, offered_by, spoken_with


@pytest.mark.parametrize(("director", "ours"), [(0, V9_6_7), (103, V9_6_7), (10_002, V15_0_3), (20_000, V15_0_3)])
def test_what_a_director_says_of_itself_decides_what_is_spoken(director: int, ours: object) -> None:
    assert spoken_with(director) is ours


def test_a_conf_may_have_one_version_spoken_with_everybody() -> None:
    assert offered_by(Protocol.AUTO) == VERSIONS
    assert spoken_with(10_002, offered_by(Protocol.V9)) is V9_6_7
    assert spoken_with(103, offered_by(Protocol.V15)) is V15_0_3


def test_a_version_is_found_by_the_number_it_announces() -> None:
    assert [numbered(each.number) for each in VERSIONS] == list(VERSIONS)


def test_what_changed_in_15_is_in_its_row() -> None:
    assert (V9_6_7.storage_caps, V9_6_7.early_tls) == (False, False)
    assert (V15_0_3.storage_caps, V15_0_3.early_tls) == (True, True)


def test_nothing_else_asks_which_version_it_is() -> None:
    """What follows from a version is a column of the table; a number of one stands there alone."""
    numbers = re.compile(r"\b(?:214|213|306|30008|10002)\b|version\.?\w* *(?:[<>]=?|==|!=) *\d|is V\d|\"9\.6|\"15\.0")
    root = Path(__file__).parents[2] / "filed"
    asking = {
        path.relative_to(root).as_posix()
        for room in ("wire", "transport", "storage", "job", "director", "daemon")
        for path in (root / room).rglob("*.py")
        if any(numbers.search(re.sub(r"#.*", "", line)) for line in path.read_text().splitlines())
    }
    assert asking == {"wire/version.py"}
