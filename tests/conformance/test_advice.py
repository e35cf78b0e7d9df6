"""What to do is said for each kind of finding, and the header's place where nothing better is known."""

from __future__ import annotations

import pytest

from filed.conformance.advice import advice


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ("crashed (SIGABRT)", "bp_guard"),
        ("crashed (SIGSEGV)", "gdb"),
        ("made no progress for 10 s", "bp_beat"),
        ("a name has a part . or ..", "absolute"),
        ("no bytes, and not the last chunk", "bp_chunk_set"),
        ("x.so is written in Go, whose runtime", "section 8"),
        ("8 equal Jobs leave behind 200 bytes of malloc each", "bplugin.h"),
    ],
)
def test_a_rule_has_its_advice(rule: str, word: str) -> None:
    assert word in advice("read", rule)


def test_without_advice_the_header_is_named() -> None:
    assert advice("read", "xyz") == "bplugin.h has the rules, at `read`"
    assert advice("", "xyz") == "bplugin.h has the rules"
