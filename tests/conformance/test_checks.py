"""The list of checks makes sense: names are unique, and what one needs comes before it."""

from __future__ import annotations

from filed.conformance import CHECKS


def test_names_are_unique_and_needs_come_first() -> None:
    known: set[str] = set()
    for check in CHECKS:
        assert check.name not in known
        assert known.issuperset(check.needs)
        known.add(check.name)
        assert check.title
        assert check.run.__doc__ or check.name.startswith(("fault-", "no-verdict"))
