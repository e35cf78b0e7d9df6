from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.catalog import JobFacts, facts_object, facts_of
from filed.wire.restore_object import pack_restore_object, parse_restore_object

FACTS = JobFacts(1_800_000_000, 1_700_000_000, "etc.2026-11-23_10.25.18_03", "I\nF /etc\n", 12345, "3f2a")


@given(st.integers(), st.integers(), st.text(), st.text(), st.integers(0))
def test_facts_survive_the_volume(start: int, since: int, base: str, text: str, read: int) -> None:
    facts = JobFacts(start, since, base, text, read)
    assert facts_of(parse_restore_object(pack_restore_object(facts_object(3, facts)))) == facts


def test_bytes_in_a_filesets_text_survive_too() -> None:
    facts = replace(FACTS, fileset_text=b"F /caf\xe9".decode(errors="surrogateescape"))
    assert facts_of(facts_object(3, facts)) == facts


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"start": "x"}', b"null"])
def test_damaged_facts_are_none(content: bytes) -> None:
    assert facts_of(replace(facts_object(1, FACTS), content=content)) is None


def test_facts_of_another_version_are_taken_as_far_as_they_go() -> None:
    content = facts_object(1, FACTS).content.replace(b'"read_bytes"', b'"new_field"')
    assert facts_of(replace(facts_object(1, FACTS), content=content)) == replace(FACTS, read_bytes=0)


def test_facts_of_a_wrong_type_are_none() -> None:
    content = facts_object(1, FACTS).content.replace(b'"since": 1700000000', b'"since": "now"')
    assert facts_of(replace(facts_object(1, FACTS), content=content)) is None


def test_an_agents_own_object_holds_no_facts() -> None:
    assert facts_of(replace(facts_object(1, FACTS), command=b"exchange:x")) is None
    assert facts_of(replace(facts_object(1, FACTS), name=b"metadata")) is None
