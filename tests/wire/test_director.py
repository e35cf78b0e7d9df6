from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.wire.director import (
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
    NetworkTestCommand,
    RestoreCommand,
    RunScriptCommand,
    SetDebugCommand,
    SinceCommand,
    StatusCommand,
    StorageCommand,
)
from filed.wire.director_parse import parse_command

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
    st.builds(NetworkTestCommand, SMALL, SMALL),
    st.builds(SetDebugCommand, SMALL, SMALL, SMALL, SMALL, WORD, WORD),
    st.builds(DotStatusCommand, st.sampled_from(["header", "current"]), st.integers(0, 3), WORD),
    st.just(StatusCommand()),
)


@given(COMMANDS)
def test_each_command_comes_back_as_it_was(command: Command) -> None:
    assert parse_command(command.format()) == command
