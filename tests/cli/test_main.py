"""The entry point: commands by name, errors as one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import filed as package
from filed.cli.main import COMMANDS, cli, main
from tests.agents.compile import ROOT
from tests.cli.conftest import Filed
from tests.system.program import Running, wait_until


def test_help_lists_every_command_and_the_exit_codes(filed: Filed) -> None:
    said = filed("--help")
    assert said.code == 0
    assert all(f"  {name} " in said.out for name in COMMANDS)
    assert "Exit codes: 0 good, 1 nothing was done" in said.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_it_is_said_to_be_and_explains_itself(filed: Filed, name: str) -> None:
    said = filed(name, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: filed {name} ")


def test_the_version_is_the_packages(filed: Filed) -> None:
    assert filed("--version").out == f"filed, version {package.__version__}\n"


@pytest.mark.parametrize("arguments", [("nonsense",), ("ls", "--nonsense"), ("diff", "one", "two")])
def test_a_wrong_command_line_is_code_1_and_a_sentence(filed: Filed, arguments: tuple[str, ...]) -> None:
    said = filed(*arguments)
    assert said.code == 1
    assert "Error: " in said.err


def test_an_error_of_ours_is_one_line(filed: Filed, tmp_path: Path) -> None:
    said = filed("ls", "-s", tmp_path / "nowhere")
    assert said.code == 1
    assert said.err.startswith("filed: ")
    assert said.err.count("\n") == 1


def test_main_leaves_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as left:
        main(["nonsense"])
    assert left.value.code == 1


def test_commands_are_imported_when_they_are_called() -> None:
    """`filed --version` in a cron job shall not pay for pipeline and conf."""
    look = "import sys, filed.cli.main as m; m.run(['--version']); print('filed.pipeline' in sys.modules, 'lark' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "False False"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, filed: Filed) -> None:
    (tmp_path / "source").mkdir()
    for number in range(3000):
        (tmp_path / "source" / f"a file with a long name, so that the pipe is full soon {number}").touch()
    assert filed("backup", "-s", tmp_path / "v", tmp_path / "source").code == 0
    program = "from filed.cli.main import main; main()"
    arguments = [sys.executable, "-c", program, "ls", "-s", str(tmp_path / "v")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_an_unknown_name_is_no_command() -> None:
    import click

    assert cli.get_command(click.Context(cli), "nonsense") is None


def test_ctrl_c_outside_of_a_job_ends_as_a_shell_has_it(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    os.mkfifo(conf)
    running = Running("config", "check", conf)
    writer = os.open(conf, os.O_WRONLY)  # waits until the command has opened its conf
    wait_until(running.sleeps)  # in its read: Python would notice a signal of a moment earlier only behind it
    os.kill(running.pid, signal.SIGINT)
    said = running.ended(code=130)
    os.close(writer)
    assert "Traceback" not in said.err


@pytest.mark.parametrize("words", [("catalog",), ("agent",), ("config",), ()])
def test_a_group_alone_shows_its_commands_and_did_nothing(filed: Filed, words: tuple[str, ...]) -> None:
    said = filed(*words)
    assert (said.code, said.out) == (1, "")
    assert "Commands:" in said.err
