"""Versions are rows."""

from __future__ import annotations

from filed.wire.version import V9_6_7, V15_0_3, VERSIONS


def test_a_version_is_found_by_the_number_it_announces() -> None:
    assert VERSIONS == {214: V9_6_7, 15: V15_0_3}


def test_what_changed_in_15_is_in_its_row() -> None:
    assert (V9_6_7.storage_caps, V9_6_7.early_tls) == (False, False)
    assert (V15_0_3.storage_caps, V15_0_3.early_tls) == (True, True)
