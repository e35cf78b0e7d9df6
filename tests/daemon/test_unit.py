from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from filed.daemon.service import END_WITHIN_S
from filed.daemon.unit import unit_text
from filed.errors import ConfigError

NEEDS_SYSTEMD = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd")


def read(text: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
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


@NEEDS_SYSTEMD
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    program = tmp_path / "filed"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = tmp_path / "filed.service"
    path.write_text(unit_text(program, tmp_path / "fd.conf"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "filed" in line]
    assert ours == []


def exposure(unit: Path) -> float:
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True, text=True)
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    return float(found[1])


@NEEDS_SYSTEMD
def test_the_unit_gives_up_what_a_backup_does_not_need(tmp_path: Path) -> None:
    path = tmp_path / "filed.service"
    path.write_text(unit_text(Path("/opt/filed/bin/filed"), Path("/etc/filed/fd.conf")))
    assert exposure(path) < 5


def allowed(names: list[str]) -> set[str]:
    """The system calls of a filter, groups taken apart."""
    found: set[str] = set()
    for name in names:
        if not name.startswith("@"):
            found.add(name)
            continue
        listed = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
        inner = [line.strip() for line in listed.stdout.splitlines()[1:]]
        found |= allowed([each for each in inner if each and not each.startswith("#")])
    return found


@NEEDS_SYSTEMD
@pytest.mark.skipif(not shutil.which("strace"), reason="no strace")
def test_a_backup_and_a_restore_make_no_call_that_the_unit_forbids(tmp_path: Path) -> None:
    filters = re.findall(r"^SystemCallFilter=(.+)$", unit_text(Path("/bin/filed"), Path("/etc/fd.conf")), re.MULTILINE)
    may = allowed([name for line in filters for name in line.split()])
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "below" / "file").write_bytes(bytes(300_000))
    os.mkfifo(tmp_path / "tree" / "fifo")
    filed = [sys.executable, "-c", "from filed.cli.main import main; main()"]
    made: set[str] = set()
    for number, words in enumerate(
        (
            ["backup", "-s", tmp_path / "volumes", tmp_path / "tree"],
            ["restore", "-s", tmp_path / "volumes", "--where", tmp_path / "back"],
        )
    ):
        trace = tmp_path / f"trace-{number}"
        subprocess.run(["strace", "-f", "-qq", "-o", trace, *filed, *words], check=True, capture_output=True)
        made |= set(re.findall(r"^\d+ +(?:<\.\.\. )?([a-z_0-9]+)", trace.read_text(errors="replace"), re.MULTILINE))
    assert (tmp_path / "back").joinpath(*tmp_path.parts[1:], "tree", "below", "file").stat().st_size == 300_000
    assert "openat" in made
    assert made - may == set()
