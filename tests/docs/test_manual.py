"""docs/filed.md names every command and option, and none that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from filed.cli.exit import Exit
from filed.cli.main import cli

PAGE = (Path(__file__).parents[2] / "docs" / "filed.md").read_text()


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name, command


COMMANDS = dict(commands(cli))
OPTIONS = {
    option
    for command in COMMANDS.values()
    for parameter in command.params
    for option in (*parameter.opts, *parameter.secondary_opts)
    if option.startswith("-")
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_names_the_command(name: str) -> None:
    assert all(re.search(rf"\b{word}\b", PAGE) for word in name.split())


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_the_page_names_the_option(option: str) -> None:
    assert re.search(rf"(?<![\w-]){option}(?![\w-])", PAGE)


def test_the_page_names_no_option_that_is_not_there() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))
    assert named - OPTIONS <= {"--help", "--version"}


def test_the_page_has_every_exit_code() -> None:
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)} == {int(code) for code in Exit}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    assert COMMANDS[name].get_short_help_str()
