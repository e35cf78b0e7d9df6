from __future__ import annotations

import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import LocalProtocolError, StreamError
from filed.wire.restore_object import RestoreObject, pack_restore_object, parse_restore_object
from tests.wire.golden import hex_record

NAMES = st.binary(max_size=40).map(lambda name: name.replace(b"\0", b" "))


def test_the_object_of_a_real_daemon_is_read():
    item = parse_restore_object(hex_record("restore-object-zlib"))
    assert (item.file_index, item.type, item.index) == (1, 25, 1)
    assert (item.name, len(item.content)) == (b"james.xml", 12722)
    assert item.command == b"test-plugin:/@testplugin/x:cat:cat"


def test_the_object_of_a_real_daemon_is_written_alike():
    record = hex_record("restore-object-zlib")
    ours = pack_restore_object(parse_restore_object(record))
    assert ours[:-1] == record[:-1]  # the last byte is nothing; real daemons leave what was there


@given(st.integers(1, 2**31 - 1), NAMES, NAMES, st.one_of(st.binary(max_size=2000), st.integers(900, 5000).map(bytes)))
def test_an_object_comes_back(file_index, command, name, content):
    item = RestoreObject(file_index, 27, 3, command, name, content)
    assert parse_restore_object(memoryview(pack_restore_object(item))) == item


@given(NAMES, st.one_of(st.binary(max_size=1500), st.integers(900, 5000).map(bytes)))
def test_no_object_has_a_length_that_a_director_loses(name, content):
    record = pack_restore_object(RestoreObject(1, 25, 1, b"p:x", name, content))
    assert int(record.split(b" ")[3]) % 3 != 1


def test_an_object_that_inflates_beyond_its_length_is_refused():
    record = pack_restore_object(RestoreObject(1, 25, 1, b"p:x", b"n", bytes(5000)))
    with pytest.raises(StreamError, match="length"):
        parse_restore_object(record.replace(b" 5000 ", b" 4999 ", 1))
    with pytest.raises(StreamError, match="too large"):
        parse_restore_object(record.replace(b" 5000 ", b" 5000000000 ", 1))


@given(st.data())
def test_a_damaged_object_is_a_stream_error(data):
    record = bytearray(pack_restore_object(RestoreObject(1, 25, 1, b"p:x", b"n", b"abc" * 400)))
    record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(StreamError):
        parse_restore_object(record[: data.draw(st.integers(0, len(record)))])


def test_a_nul_in_a_name_is_our_bug():
    item = RestoreObject(1, 25, 1, b"p", b"n", b"")
    for bad in (dataclasses.replace(item, name=b"\0"), dataclasses.replace(item, command=b"\0")):
        with pytest.raises(LocalProtocolError):
            pack_restore_object(bad)
