"""Where a Director may reach on this machine: restores, programs and FileSets outside are refused, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.config.filedaemon import Directories
from filed.job.description import NetworkBackup
from filed.wire import reply
from filed.wire.frame import Signal
from tests.director.visiting import STORAGE, Visiting, prepared


def text(told: list[object]) -> str:
    return b"".join(line for line in told if isinstance(line, bytes)).decode()


@pytest.mark.parametrize(
    ("where", "good"),
    [
        ("where={ok}/r", True),
        ("where={ok}", True),
        ("where={ok}/../other", False),
        ("where={ok}/link/r", False),
        ("where=/", False),
        ("where=", False),
        ("where={ok}ay", False),
        ("regexwhere=!/a!{ok}/a!", False),
    ],
)
def test_a_restore_goes_only_where_it_may(tmp_path: Path, where: str, *, good: bool) -> None:
    ok = tmp_path / "ok"
    ok.mkdir()
    (ok / "link").symlink_to(tmp_path)
    with Visiting(tmp_path, directories=Directories(restore=(str(ok),))) as talk:
        talk.name(7)
        talk.say(STORAGE, f"restore files=1 replace=a prelinks=0 {where.format(ok=ok)}\n".encode())
        told = talk.rest()
    assert (reply.OK_RESTORE in told) is good
    assert (reply.BAD_RESTORE_PATH in told) is not good
    assert bool(talk.house.jobs) is good
    assert ("outside of the Allowed Restore Directories" in text(told)) is not good


@pytest.mark.parametrize(
    ("command", "good"),
    [
        ("{dir}/good", True),
        ("{dir}/../other/bad", False),
        ("{dir}/link", False),
        ("/bin/sh -c {dir}/good", False),
        ("good", False),
        ("{other}/bad", False),
        ('"{dir}/good', False),
    ],
)
def test_only_programs_of_the_allowed_directories_are_run(tmp_path: Path, command: str, *, good: bool) -> None:
    scripts, other = tmp_path / "scripts", tmp_path / "other"
    for directory, name in ((scripts, "good"), (other, "bad")):
        directory.mkdir()
        (directory / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (directory / name).chmod(0o755)
    (scripts / "link").symlink_to(other / "bad")
    with Visiting(tmp_path, directories=Directories(scripts=(str(scripts),))) as talk:
        prepared(talk)
        said = command.format(dir=scripts, other=other).replace(" ", "\x01")
        talk.say(f"RunBeforeJob {said}\n".encode())
        if good:
            talk.until(reply.OK_RUN_BEFORE)
            talk.say(Signal.TERMINATE)
        else:
            told = talk.rest()
            assert reply.BAD_RUN_BEFORE_JOB in told
            assert "is not in the Allowed Script Directories" in text(told)
    assert (tmp_path / "ran").exists() is good


def test_a_program_of_a_fileset_is_one_too(tmp_path: Path) -> None:
    with Visiting(tmp_path, directories=Directories(scripts=("/nowhere",))) as talk:
        talk.name(7)
        talk.say(b"fileset\n", b"I\n", b"F |/bin/ls /", b"N\n", b"N\n", Signal.EOD)
        assert "is not in the Allowed Script Directories" in text(talk.rest())


def test_a_job_is_told_what_may_be_saved(tmp_path: Path) -> None:
    with Visiting(tmp_path, directories=Directories(backup=("/a",), excluded=("/a/b",))) as talk:
        prepared(talk)
        talk.say(b"backup FileIndex=0\n")
        talk.rest()
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkBackup)
    assert (job.fileset.allowed, job.fileset.barred) == ((b"/a",), (b"/a/b",))
