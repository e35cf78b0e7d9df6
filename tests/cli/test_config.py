"""`filed config check`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Filed

GOOD = """
Job { Name = J; FileSet = F; Storage = S }
FileSet { Name = F; Include { File = /etc } }
Storage { Name = S; Archive Device = "/mnt/disk" }
"""


def test_a_right_conf_says_what_it_is_good_for(filed: Filed, tmp_path: Path) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text(GOOD)
    said = filed("config", "check", conf)
    assert said.code == 0
    assert said.out == f"{conf} is right: 1 Jobs for `filed backup`\n"


def test_each_fault_is_told_with_its_place(filed: Filed, tmp_path: Path) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text(GOOD.replace("FileSet = F", "FileSet = Nowhere"))
    said = filed("config", "check", conf)
    assert said.code == 1
    assert f"Error: {conf}:2:" in said.err
    assert "Nowhere" in said.err


def test_a_conf_that_is_none_is_an_error_at_its_line(filed: Filed, tmp_path: Path) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text("Job {\n  Name = \n")
    said = filed("config", "check", conf)
    assert said.code == 1
    assert "Traceback" not in said.err
    assert f"{conf}:" in said.err
