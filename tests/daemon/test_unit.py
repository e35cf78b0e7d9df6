from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from filed.daemon.service import END_WITHIN_S
from filed.daemon.unit import unit_text
from filed.errors import ConfigError


def read(text: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    return unit


def test_it_names_this_installation_and_gives_jobs_the_time_to_end() -> None:
    unit = read(unit_text(Path("/opt/filed/bin/filed"), Path("/etc/filed/fd.conf")))
    service = unit["Service"]
    assert service["ExecStart"] == "/opt/filed/bin/filed daemon -c /etc/filed/fd.conf"
    assert service["Type"] == "notify"
    assert int(service["TimeoutStopSec"]) > END_WITHIN_S
    assert "@" not in "".join(service.values())


@pytest.mark.parametrize("path", ["relative", "/with blank/filed", "/with%percent"])
def test_a_path_that_systemd_would_misread_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="cannot stand in a unit"):
        unit_text(Path(path), Path("/etc/filed/fd.conf"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd")
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    program = tmp_path / "filed"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = tmp_path / "filed.service"
    path.write_text(unit_text(program, tmp_path / "fd.conf"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "filed" in line]
    assert ours == []
