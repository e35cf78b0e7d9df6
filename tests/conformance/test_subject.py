"""What an agent is asked to save, when it is said and when it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from filed.conformance import Subject
from filed.errors import ConfigError
from tests.conformance.conftest import subject


@pytest.fixture
def subtle(checked_agents: Path) -> Subject:
    return subject(checked_agents / "subtle.so")


def test_what_it_claims_is_saved_by_default(subtle: Subject) -> None:
    assert subtle.fileset().includes[0].files == (b"/@SUBTLE",)


def test_a_path_or_a_plugin_line_is_saved_instead(subtle: Subject) -> None:
    assert replace(subtle, paths=(b"/@SUBTLE/d",)).fileset().includes[0].files == (b"/@SUBTLE/d",)
    line = "subtle: files = 3"
    assert replace(subtle, plugin=line).fileset().includes[0].plugins == (line,)


def test_a_path_that_it_does_not_take_is_refused_with_what_it_takes(subtle: Subject) -> None:
    with pytest.raises(ConfigError, match=r"takes no path /etc; it takes: /@SUBTLE"):
        replace(subtle, paths=(b"/etc",)).fileset()


def test_an_agent_of_any_path_has_to_be_told_one() -> None:
    import filed

    shipped = subject(Path(filed.__file__).parent / "_agents" / "filesystem.so")
    with pytest.raises(ConfigError, match="say with --path"):
        shipped.fileset()


def test_options_are_checked_as_in_a_conf(subtle: Subject) -> None:
    assert replace(subtle, options=(("files", "3"),)).settings().options == (("files", "3"),)
    with pytest.raises(ConfigError, match="there is no option 'file'"):
        replace(subtle, options=(("file", "3"),)).settings()
    with pytest.raises(ConfigError, match="may only be set in this machine's conf"):
        replace(subtle, plugin="subtle: files = 3").settings()
