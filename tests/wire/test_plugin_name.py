from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import LocalProtocolError, StreamError
from filed.wire.plugin_name import PluginName, pack_plugin_end, pack_plugin_start, parse_plugin_name
from tests.wire.golden import hex_record


def test_the_start_of_a_real_daemon_is_read_and_written_alike():
    record = hex_record("plugin-name-start")
    name = parse_plugin_name(record)
    assert (name.file_index, name.start, name.portable, name.plugin) == (1, True, True, b"bpipe")
    assert pack_plugin_start(1, name.command) == record


def test_an_end_has_no_nul():
    assert pack_plugin_end(7) == b"7 0"
    assert parse_plugin_name(b"7 0") == PluginName(7, start=False)


@given(st.integers(1, 2**31 - 1), st.binary(min_size=1).filter(lambda c: 0 not in c), st.booleans())
def test_a_start_comes_back(file_index, command, portable):
    record = pack_plugin_start(file_index, command, portable=portable)
    assert parse_plugin_name(memoryview(record)) == PluginName(file_index, True, command, portable)


@pytest.mark.parametrize(
    "data", [b"", b"1", b"1 2 1 a\0", b"1 1 1\0", b"1 1 2 a\0", b"x 0", b"99999999999 0", b"1 1 1 \0"]
)
def test_anything_else_is_refused(data):
    with pytest.raises(StreamError):
        parse_plugin_name(data)


def test_a_command_with_a_nul_is_our_bug():
    with pytest.raises(LocalProtocolError):
        pack_plugin_start(1, b"a\0b")
