"""The library and its instances: the query, the versions it refuses, the tables it does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.conformance import Verdict
from tests.agents.compile import compile_agent
from tests.conformance.conftest import Checking, words


def test_an_agent_of_today_passes(check: Checking) -> None:
    assert check("load").verdict is Verdict.PASSED
    assert check("instance").verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("define", "rule"),
    [
        ("QUERY_ALWAYS", "query: : it does not refuse a host that speaks versions 0.0 to 0.65535"),
        ("QUERY_NEVER_LATER", "query: : it refuses a host that speaks versions 1.0 to 1.999"),
        ("QUERY_IMPURE", "query: : the query answers two equal questions with two descriptors"),
    ],
)
def test_a_query_that_is_not_what_it_should_be_is_named(
    check: Checking, tmp_path: Path, define: str, rule: str
) -> None:
    compile_agent("subtle.c", tmp_path, "subtle", [define])
    said = check("load", tmp_path / "subtle.so")
    assert said.verdict is Verdict.FAILED
    assert rule in words(said)


def test_restore_calls_that_will_never_be_made_are_named(check: Checking, tmp_path: Path) -> None:
    compile_agent("subtle.c", tmp_path, "subtle", ["FEATURES=BP_FEATURE_PLAIN_FILES"])
    said = check("load", tmp_path / "subtle.so")
    assert said.verdict is Verdict.WARNINGS
    assert "BP_FEATURE_PLAIN_FILES and restore calls, which are never made" in words(said)


def test_a_table_that_is_left_alone_is_named(check: Checking) -> None:
    said = check("instance", "bad", sin="extension-untouched")
    assert said.verdict is Verdict.FAILED
    assert "failed: extension: : *out was left alone" in words(said)
