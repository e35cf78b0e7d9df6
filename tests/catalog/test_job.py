from __future__ import annotations

from datetime import timedelta, timezone

from filed.catalog.job import MAX_NAME_BYTES, unique_name


def test_a_unique_name_has_the_time_and_a_counter() -> None:
    zone = timezone(timedelta(hours=1))
    assert unique_name("etc", 1_795_425_918, 3, zone) == "etc.2026-11-23_10.25.18_03"


def test_the_longest_name_fits_a_session_label() -> None:
    assert len(unique_name("n" * MAX_NAME_BYTES, 1_795_425_918, 999)) == 127
