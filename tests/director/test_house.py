from __future__ import annotations

from filed.director.house import Ending


def test_each_reason_to_end_is_one_byte_on_the_bell() -> None:
    assert sorted(ending.value for ending in Ending) == ["", "c", "d", "s"]
