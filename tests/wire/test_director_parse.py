from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import RemoteProtocolError
from filed.wire.director import (
    AccurateCommand,
    Command,
    LevelCommand,
    RestoreCommand,
    RestoreObjectCommand,
    RunBeforeNowCommand,
    RunScriptCommand,
    SinceCommand,
)
from filed.wire.director_parse import TABLE, parse_command, row_of, shown


def test_a_level_that_is_followed_by_a_time_has_no_time_itself() -> None:
    assert parse_command(b"level = accurate_incremental  mtime_only=0 \n") == LevelCommand("incremental", accurate=True)
    assert parse_command(b"level = full  mtime_only=0  estimate \n") == LevelCommand("full", estimate=True)
    assert parse_command(b"level = since_utime 7 mtime_only=0\n") == SinceCommand(7)


def test_an_accurate_list_of_nothing_has_no_number() -> None:
    assert parse_command(b"accurate files=\n") == AccurateCommand(0)


def test_where_a_blank_is_a_blank_again() -> None:
    assert parse_command(b"restore files=1 replace=n prelinks=0 where=/a\x01b\n") == RestoreCommand(
        "n", b"/a b", files=1
    )
    assert parse_command(b"restore replace=a prelinks=1 where=\n") == RestoreCommand("a", prelinks=True)


def test_restore_and_restoreobject_are_told_apart() -> None:
    assert parse_command(b"restoreobject end\n") == RestoreObjectCommand(end=True)
    found = parse_command(b"restoreobject JobId=3 1,2,3,4,0,6,ex\n")
    assert found == RestoreObjectCommand(False, 1, 2, 3, 4, 0, 6, "ex", 3)


def test_the_words_that_begin_alike_are_told_apart() -> None:
    assert parse_command(b"RunBeforeNow\n") == RunBeforeNowCommand()
    assert parse_command(b"RunAfterJob a\x01b\n") == RunScriptCommand("RunAfterJob", "a b")


@pytest.mark.parametrize(
    "packet",
    [b"", b"nonsense\n", b"JobId=x Job=a SDid=0 SDtime=0 Authorization=d\n", b"storage address=a port=123456 ssl=0\n"],
)
def test_what_makes_no_sense_is_the_peers_fault(packet: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_command(packet)


def test_a_monitor_may_ask_for_status_only() -> None:
    assert {row.prefix for row in TABLE if row.monitor} == {b"JobId=", b"status", b".status"}


@given(st.sampled_from([row.prefix for row in TABLE]), st.binary(max_size=200))
def test_any_bytes_are_a_command_or_the_peers_fault(prefix: bytes, rest: bytes) -> None:
    try:
        command = parse_command(prefix + rest)
    except RemoteProtocolError:
        return
    assert isinstance(command, Command)
    assert row_of(prefix + rest) is not None


def test_a_key_is_not_shown() -> None:
    key = b"K" * 39
    assert (
        shown(b"storage address=a port=x Authorization=%b\n" % key) == b"storage address=a port=x Authorization=...\n"
    )
    assert key not in shown(b"JobId=x authorization = %b" % key)
    assert shown(b"a" * 200) == b"a" * 80
