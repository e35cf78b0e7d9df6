from __future__ import annotations

from filed.director.daemon_api import Ending


def test_each_reason_to_end_is_one_byte_on_the_cancel_pipe() -> None:
    assert sorted(ending.value for ending in Ending) == ["", "c", "d", "s"]
