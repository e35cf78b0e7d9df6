"""README.md is true: its conf is right, its links lead somewhere, its commands are there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from filed.cli.main import COMMANDS, run

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


def test_the_conf_of_the_readme_is_right(tmp_path: Path) -> None:
    blocks = re.findall(r"(?:^    .*\n)+", TEXT, re.MULTILINE)
    (conf,) = (block for block in blocks if "FileSet {" in block)
    path = tmp_path / "filed.conf"
    path.write_text(textwrap.dedent(conf))
    assert run(["config", "check", str(path)]) == 0


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)]+)\)", TEXT))))
def test_every_link_leads_to_a_file(target: str) -> None:
    assert (ROOT / target).exists()


def test_every_command_of_the_readme_is_there() -> None:
    assert set(re.findall(r"^ +filed (\w+)", TEXT, re.MULTILINE)) <= set(COMMANDS)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"^    make (\w+)", TEXT, re.MULTILINE))))
def test_every_make_target_of_the_readme_is_there(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
