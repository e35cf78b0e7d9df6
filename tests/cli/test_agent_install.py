"""`filed agent install` and `filed agent ready`: from a library to a conf that is known to work."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agents.compile import compile_agent
from tests.cli.conftest import Filed

CONF = """
FileDaemon {{ Name = here; Plugin Directory = "{place}" }}
plugin today {{ {options} }}
plugin filesystem
Job {{ Name = Save; FileSet = Both; Storage = Disk }}
FileSet {{ Name = Both; Include {{ File = "/@TODAY/"; File = "{place}" }} }}
Storage {{ Name = Disk; Archive Device = "{place}/disk" }}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_agent("today.c", tmp_path_factory.mktemp("made"), "today")


def conf(directory: Path, options: str = "") -> Path:
    path = directory / "filed.conf"
    path.write_text(CONF.format(place=directory / "agents", options=options))
    path.chmod(0o600)
    return path


def test_an_agent_is_installed_where_only_its_owner_can_write(filed: Filed, library: Path, tmp_path: Path) -> None:
    library.chmod(0o777)  # what filed would refuse
    place = tmp_path / "agents"
    before = os.umask(0)
    try:
        said = filed("agent", "install", library, "-d", place)
    finally:
        os.umask(before)
    assert said.code == 0, said.err
    assert said.out.splitlines() == [
        f"{place}/today.so: agent today 1.1 is installed. In the conf, if they are not there yet:",
        f'  FileDaemon {{ ... Plugin Directory = "{place}" }}',
        "  plugin today",
    ]
    assert (place.stat().st_mode & 0o777, (place / "today.so").stat().st_mode & 0o777) == (0o755, 0o644)
    assert filed("agent", "info", "-d", place, "today").code == 0
    assert [path.name for path in place.iterdir()] == ["today.so"]
    assert filed("agent", "ready", conf(tmp_path)).out.splitlines() == [
        "Save: agent today 1.1 is ready",
        "Save: agent filesystem 1.0 is ready",
    ]


def test_what_is_no_agent_is_not_installed_and_the_old_one_stays(filed: Filed, library: Path, tmp_path: Path) -> None:
    place = tmp_path / "agents"
    filed("agent", "install", library, "-d", place)
    whole = (place / "today.so").read_bytes()
    wrong = tmp_path / "today.so"
    wrong.write_text("not a library")
    said = filed("agent", "install", wrong, "-d", place)
    assert (said.code, f"{wrong} is not a library" in said.err) == (1, True)
    assert (place / "today.so").read_bytes() == whole


def test_what_is_in_the_way_of_each_agent_is_said_before_the_night(filed: Filed, library: Path, tmp_path: Path) -> None:
    filed("agent", "install", library, "-d", tmp_path / "agents")
    said = filed("agent", "ready", conf(tmp_path, "freeze = nowhere"))
    assert said.code == 2
    assert "Error: Save: agent today: option freeze = 'nowhere': give an absolute path" in said.err
    assert said.out == "Save: agent filesystem 1.0 is ready\n"  # another agent is known without it


def test_pkg_config_finds_the_headers_that_come_with_filed(filed: Filed, programs: Callable[..., None]) -> None:
    programs("pkg-config")
    flag = filed("agent", "cflags").out.strip()
    command = ["pkg-config", "--cflags", "bplugin"]
    environment = {**os.environ, "PKG_CONFIG_PATH": flag.removeprefix("-I")}
    found = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert found.stdout.strip() == flag
