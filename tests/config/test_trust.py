from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.config import read_filedaemon_conf
from filed.config.syntax import read
from filed.config.trust import why_not_trusted, why_writable
from filed.errors import ConfigError

OTHERS_UID, OTHERS_GID = 12_345, 54_321


def status(mode: int, uid: int, gid: int) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "why"),
    [
        (0o100640, os.geteuid(), os.getegid(), ""),
        (0o100660, os.geteuid(), os.getegid(), ""),
        (0o100660, 0, 0, ""),
        (0o100644, 0, OTHERS_GID, ""),
        (0o100664, 0, OTHERS_GID, "can be written by others"),
        (0o100602, 0, 0, "can be written by others"),
        (0o100600, OTHERS_UID, 0, f"belongs to user {OTHERS_UID}"),
    ],
)
def test_only_root_and_we_decide(mode: int, uid: int, gid: int, why: str) -> None:
    said = why_not_trusted("/a.conf", status(mode, uid, gid))
    assert why in said
    assert bool(said) == bool(why)


def test_a_working_directory_may_have_a_user_of_its_own() -> None:
    assert why_writable("/work", status(0o40770, OTHERS_UID, os.getegid())) == ""
    assert "chmod go-w /work" in why_writable("/work", status(0o41777, 0, 0))


def test_no_program_of_a_conf_is_run_that_others_could_write(tmp_path: Path) -> None:
    conf, ran = tmp_path / "fd.conf", tmp_path / "ran"
    conf.write_text(f'@|"touch {ran}"\n')
    conf.chmod(0o666)
    with pytest.raises(ConfigError, match=r"fd\.conf can be written by others.*chmod go-w"):
        read(conf)
    assert not ran.exists()
    conf.chmod(0o600)
    read(conf)
    assert ran.exists()


def test_an_included_file_that_others_could_write_is_named_with_the_line_that_includes_it(tmp_path: Path) -> None:
    conf, other = tmp_path / "fd.conf", tmp_path / "other.conf"
    conf.write_text(f"\n@{other}\n")
    other.write_text("")
    other.chmod(0o622)
    with pytest.raises(ConfigError, match=r"fd\.conf:2:.*other\.conf can be written by others"):
        read(conf)


def test_a_working_directory_that_others_can_write_is_an_error(tmp_path: Path) -> None:
    conf, work = tmp_path / "fd.conf", tmp_path / "work"
    work.mkdir()
    work.chmod(0o777)
    conf.write_text(f"FileDaemon {{ Name = fd; Working Directory = {work} }}\nDirector {{ Name = d; Password = p }}\n")
    conf.chmod(0o600)
    with pytest.raises(ConfigError, match=r"the Working Directory .*can be written by others"):
        read_filedaemon_conf(conf)
    work.chmod(0o750)
    read_filedaemon_conf(conf)
