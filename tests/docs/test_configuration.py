"""docs/configuration.md names every directive that bacula-fd knows, and in its tables none that the daemon does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from filed.config.filedaemon import filedaemon_conf
from filed.config.messages import MessageType, Target
from filed.config.syntax import parse
from filed.errors import ConfigError
from tests.config.directives import DIRECTIVES, conf_with

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
DAEMON = PAGE.partition("## FileDaemon")[2].partition("## Job, FileSet, Storage")[0]
TABLE = DAEMON.partition("\n## ")[0]


@pytest.mark.parametrize("name", sorted({name for names in DIRECTIVES.values() for name in names}))
def test_the_page_names_the_directive(name: str) -> None:
    assert re.search(rf"\b{name}\b", DAEMON)


@pytest.mark.parametrize("target", Target)
def test_the_page_names_the_destination(target: Target) -> None:
    assert re.search(rf"^\|.*\b{target.value}\b", DAEMON, re.MULTILINE)


@pytest.mark.parametrize(
    "name",
    [name.strip() for cell in re.findall(r"^\| ([A-Z][^|]*) \|", TABLE, re.MULTILINE) for name in cell.split(",")],
)
def test_the_table_of_the_file_daemon_names_nothing_else(name: str) -> None:
    said = ""
    try:
        filedaemon_conf(parse(conf_with("FileDaemon", name, "1")))
    except ConfigError as error:
        said = str(error)  # what a value has to be is none of our business here
    assert "is not a directive" not in said


def test_all_is_what_the_page_says() -> None:
    assert "`all` is everything but debug and saved" in DAEMON
    conf = filedaemon_conf(parse(conf_with("Messages", "Stdout", "all")))
    (stdout,) = [each for each in conf.messages[0].destinations if each.target is Target.STDOUT]
    assert set(MessageType) - stdout.types == {MessageType.DEBUG, MessageType.SAVED}
