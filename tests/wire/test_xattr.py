from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import LocalProtocolError, StreamError
from filed.wire.xattr import pack_xattrs, parse_xattrs
from tests.wire.golden import hex_record

NAMES = st.binary(min_size=1, max_size=30).map(lambda name: name.replace(b"\0", b"."))


@pytest.mark.parametrize(
    ("name", "attribute"), [("xattr", b"user.comment"), ("xattr-with-acl", b"system.posix_acl_access")]
)
def test_the_records_of_real_daemons_are_read_and_written_alike(name, attribute):
    record = hex_record(name)
    pairs = list(parse_xattrs(record))
    assert attribute in dict(pairs)
    assert pack_xattrs(pairs) == record


@given(st.lists(st.tuples(NAMES, st.binary(max_size=50))))
def test_attributes_come_back(pairs):
    assert list(parse_xattrs(memoryview(pack_xattrs(pairs)))) == pairs


def test_what_stands_in_front_of_damage_is_still_read():
    found = parse_xattrs(pack_xattrs([(b"user.a", b"1"), (b"user.b", b"2")])[:-1])
    assert next(found) == (b"user.a", b"1")
    with pytest.raises(StreamError):
        next(found)


@given(st.binary(max_size=60), st.integers(0, 30))
def test_damage_is_a_stream_error(noise, kept):
    with contextlib.suppress(StreamError):
        list(parse_xattrs(pack_xattrs([(b"user.a", b"value")])[:kept] + noise))


def test_a_name_needs_bytes_and_no_nul():
    for name in (b"", b"a\0"):
        with pytest.raises(LocalProtocolError):
            pack_xattrs([(name, b"")])
