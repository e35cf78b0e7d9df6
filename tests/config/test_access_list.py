"""Access lists of Windows, with descriptors that are made up: wine keeps no others than mode bits."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.config.access_list import (
    DELETE_CHILD,
    GENERIC_ALL,
    READ,
    READ_DATA,
    REPLACE,
    TRUSTED,
    WRITE,
    WRITE_DATA,
    Descriptor,
    parse,
    why_changeable,
    why_not_owned,
)

SYSTEM, EVERYONE, USERS, SOMEBODY = "S-1-5-18", "S-1-1-0", "S-1-5-32-545", "S-1-5-21-1-2-3-1001"
ALLOW, DENY = 0, 1
INHERIT_ONLY = 8


def sid(text: str) -> bytes:
    _, revision, authority, *parts = text.split("-")
    return (
        bytes([int(revision), len(parts)])
        + int(authority).to_bytes(6)
        + b"".join(struct.pack("<I", int(part)) for part in parts)
    )


def entry(kind: int, flags: int, mask: int, who: str) -> bytes:
    name = sid(who)
    return struct.pack("<BBHI", kind, flags, 8 + len(name), mask) + name


def descriptor(owner: str, *entries: bytes, listed: bool = True) -> bytes:
    body = b"".join(entries)
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(body), len(entries), 0) + body if listed else b""
    name = sid(owner)
    at = 20 + len(name) if listed else 0
    return struct.pack("<BBHIIII", 1, 0, 0x8004, 20, 0, 0, at) + name + acl


@pytest.mark.parametrize(
    ("entries", "changed_by", "read_by"),
    [
        ([(ALLOW, 0, GENERIC_ALL, SYSTEM)], [], []),
        ([(ALLOW, 0, READ_DATA, USERS)], [], [USERS]),
        ([(ALLOW, 0, WRITE_DATA, USERS), (ALLOW, 0, GENERIC_ALL, EVERYONE)], [USERS, EVERYONE], [EVERYONE]),
        ([(ALLOW, INHERIT_ONLY, GENERIC_ALL, SOMEBODY)], [], []),
        ([(DENY, 0, GENERIC_ALL, EVERYONE)], [], []),
        ([], [], []),
    ],
)
def test_who_may_do_what(entries: list[tuple[int, int, int, str]], changed_by: list[str], read_by: list[str]) -> None:
    found = parse(descriptor(SYSTEM, *(entry(*one) for one in entries)))
    assert found.owner == SYSTEM
    assert found.others_who_may(WRITE, TRUSTED) == changed_by
    assert found.others_who_may(READ, TRUSTED) == read_by


def test_without_a_list_everybody_may_do_everything() -> None:
    found = parse(descriptor(SYSTEM, listed=False))
    assert found.others_who_may(WRITE, TRUSTED) == [EVERYONE]


def test_to_make_something_in_a_directory_is_not_to_replace_what_is_there() -> None:
    found = parse(descriptor(SYSTEM, entry(ALLOW, 0, WRITE_DATA, USERS)))
    assert why_changeable("C:\\", found, TRUSTED, REPLACE) == ""
    assert why_changeable("C:\\", found, TRUSTED).startswith("C:\\ can be changed by Users; run: icacls")
    assert why_changeable("d", parse(descriptor(SYSTEM, entry(ALLOW, 0, DELETE_CHILD, USERS))), TRUSTED, REPLACE)


def test_an_owner_must_be_trusted() -> None:
    assert why_not_owned("f", parse(descriptor(SYSTEM)), TRUSTED) == ""
    assert why_not_owned("f", parse(descriptor(SOMEBODY)), TRUSTED).startswith(f"f belongs to {SOMEBODY}, who could")
    assert why_not_owned("f", parse(descriptor(SOMEBODY)), {*TRUSTED, SOMEBODY}) == ""


@given(st.binary(max_size=100))
def test_whatever_the_bytes_they_are_read_or_refused(data: bytes) -> None:
    for some in (data, descriptor(SYSTEM)[: len(data)] + data):
        try:
            assert isinstance(parse(some), Descriptor)
        except ValueError:
            continue
