from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import RemoteProtocolError
from filed.wire.director import (
    TABLE,
    AccurateCommand,
    BackupCommand,
    BandwidthCommand,
    CancelCommand,
    Command,
    DotStatusCommand,
    EstimateCommand,
    FileSetCommand,
    JobCommand,
    LevelCommand,
    RestoreCommand,
    RestoreObjectCommand,
    RunBeforeNowCommand,
    RunScriptCommand,
    SetDebugCommand,
    SinceCommand,
    StatusCommand,
    StorageCommand,
    parse_command,
    row_of,
)

TRANSCRIPT = Path(__file__).parents[1] / "director" / "jobs.txt"


def said() -> list[bytes]:
    lines = [line[2:] for line in TRANSCRIPT.read_text().splitlines() if line.startswith("> ")]
    return [line.encode().decode("unicode_escape").encode("latin-1") for line in lines if not line.startswith("<-")]


@pytest.mark.parametrize("packet", said())
def test_what_a_real_director_said_is_understood_and_written_again(packet: bytes) -> None:
    command = parse_command(packet)
    again = command.format()
    assert parse_command(again) == command
    assert again.rstrip() == packet.rstrip()


def test_a_job_is_named() -> None:
    packet = said()[0]
    command = parse_command(packet)
    assert command == JobCommand(0, "-Console-.2026-11-23_10.14.28_02", 0, 0, "dummy")
    assert command.name == "-Console-"


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


WORD = st.text("abcXYZ0189._-", min_size=1, max_size=40)
SMALL = st.integers(0, 10**9 - 1)
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(JobCommand, SMALL, WORD, SMALL, SMALL, WORD),
    st.builds(
        LevelCommand,
        st.sampled_from(["full", "base", "incremental", "differential"]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(SinceCommand, SMALL, st.one_of(st.just(""), WORD)),
    st.builds(FileSetCommand, st.sampled_from([b"fileset", b"fileset vss=1", b"fileset vss=1 snap=1"])),
    st.builds(AccurateCommand, SMALL),
    st.builds(StorageCommand, WORD, st.integers(0, 65535), st.integers(0, 2), st.one_of(st.just(""), WORD)),
    st.builds(RunScriptCommand, st.sampled_from(["RunBeforeJob", "RunAfterJob"]), WORD),
    st.builds(RunScriptCommand, st.just("Run"), WORD, st.booleans(), st.booleans(), st.booleans(), st.integers(0, 7)),
    st.builds(BandwidthCommand, SMALL, st.one_of(st.just(""), WORD)),
    st.builds(BackupCommand, SMALL),
    st.builds(EstimateCommand, st.booleans(), SMALL),
    st.builds(RestoreCommand, st.sampled_from("awon"), st.binary(max_size=30).map(lambda b: b"/" + b.hex().encode())),
    st.builds(CancelCommand, WORD, st.booleans()),
    st.builds(SetDebugCommand, SMALL, SMALL, SMALL, SMALL, WORD, WORD),
    st.builds(DotStatusCommand, st.sampled_from(["header", "current"]), st.integers(0, 3), WORD),
    st.just(StatusCommand()),
)


@given(COMMANDS)
def test_each_command_comes_back_as_it_was(command: Command) -> None:
    assert parse_command(command.format()) == command


@given(st.sampled_from([row.prefix for row in TABLE]), st.binary(max_size=200))
def test_any_bytes_are_a_command_or_the_peers_fault(prefix: bytes, rest: bytes) -> None:
    try:
        command = parse_command(prefix + rest)
    except RemoteProtocolError:
        return
    assert isinstance(command, Command)
    assert row_of(prefix + rest) is not None
