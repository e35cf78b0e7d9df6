"""`filed completion`."""

from __future__ import annotations

import os
import subprocess

import pytest

from filed.cli.main import COMMANDS
from tests.cli.conftest import Filed
from tests.system.program import PROGRAM


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_filed(filed: Filed, shell: str) -> None:
    said = filed("completion", shell)
    assert said.code == 0
    assert f"_FILED_COMPLETE={shell}_complete" in said.out


def test_the_script_of_bash_is_one(filed: Filed) -> None:
    checked = subprocess.run(["bash", "-n"], input=filed("completion", "bash").out, text=True, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_what_bash_asks_for_is_every_command(filed: Filed, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    from filed.cli.main import cli

    monkeypatch.setenv("_FILED_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "filed ")
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit):
        cli.main(args=[], prog_name="filed", complete_var="_FILED_COMPLETE")
    offered = {row.partition(",")[2] for row in capfd.readouterr().out.splitlines()}
    assert offered >= COMMANDS.keys()


def test_an_unknown_shell_is_a_wrong_argument(filed: Filed) -> None:
    assert filed("completion", "csh").code == 1


def completed(*words: str) -> list[str]:
    """What bash would be offered for the last word."""
    env = os.environ | {
        "_FILED_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("filed", *words)),
        "COMP_CWORD": str(len(words)),
    }
    ran = subprocess.run([PROGRAM], env=env, capture_output=True, text=True, check=True)
    return [line.partition(",")[2] for line in ran.stdout.splitlines()]


def test_options_and_their_values_are_completed() -> None:
    assert completed("backup", "--lev") == ["--level"]
    assert completed("restore", "--replace", "if") == ["ifnewer", "ifolder"]
