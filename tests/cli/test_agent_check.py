"""`filed agent check`: the report on a screen and as JSON, exit codes, arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.cli.agent_check import parse_options
from tests.agents.compile import compile_agent
from tests.cli.conftest import Filed


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("plugins")
    compile_agent("subtle.c", directory, "subtle")
    compile_agent("refuse.c", directory, "refuse", ["BAD_MAGIC"])
    return directory


def test_an_agent_that_keeps_the_contract_is_good(filed: Filed, plugins: Path) -> None:
    said = filed("agent", "check", plugins / "subtle.so", "--only", "load", "--only", "backup")
    assert said.code == 0
    assert said.out.splitlines()[-1] == "agent subtle 1.0 keeps the contract: 2 passed"
    assert said.out.startswith("passed   load ")


def test_a_flaw_is_told_with_call_entry_rule_and_advice_and_fails(filed: Filed, plugins: Path) -> None:
    said = filed("agent", "check", plugins / "subtle.so", "--only", "backup", "--option", "flaw=dir-first")
    assert said.code == 2
    lines = said.out.splitlines()
    assert lines[1].strip() == "failed: next_entries, entry /@SUBTLE/d: a directory is listed before what is in it"
    assert lines[2].strip() == "-> list a directory after everything in it"
    assert lines[-1] == "agent subtle 1.0 breaks the contract: 1 failed"


def test_a_warning_has_its_own_code(filed: Filed, plugins: Path) -> None:
    said = filed("agent", "check", plugins / "subtle.so", "--only", "guest", "--option", "flaw=child")
    assert said.code == 3
    assert "keeps the contract: 1 warnings" in said.out


def test_json_is_one_document(filed: Filed, plugins: Path) -> None:
    said = filed("agent", "check", "--json", plugins / "subtle.so", "--only", "backup", "--path", "/@SUBTLE/d/3")
    report = said.json
    assert said.code == 0
    assert (report["agent"], report["verdict"]) == ("subtle 1.0", "passed")
    assert report["checks"][0]["name"] == "backup"


def test_notes_are_shown_when_asked_for_and_nothing_good_when_quiet(filed: Filed, plugins: Path) -> None:
    assert "note: 22 entries" in filed("agent", "check", "-v", plugins / "subtle.so", "--only", "backup").out
    said = filed("agent", "check", "-q", plugins / "subtle.so", "--only", "backup")
    assert (said.out, said.err) == ("", "")
    said = filed("agent", "check", "-q", plugins / "subtle.so", "--only", "backup", "--option", "flaw=dir-first")
    assert said.out.splitlines()[-1] == "agent subtle 1.0 breaks the contract: 1 failed"


def test_many_entries_are_asked_for_by_number(filed: Filed, plugins: Path) -> None:
    few = filed("agent", "check", plugins / "subtle.so", "--entries", "1000")
    assert few.code == 2
    assert "22 entries listed, memory grew by 0.0 MB; --entries asks for 1,000: give a larger source" in few.out
    assert filed("agent", "check", plugins / "subtle.so", "--entries", "1000", "--option", "files=2000").code == 0


def test_what_cannot_be_loaded_is_a_report(filed: Filed, plugins: Path) -> None:
    said = filed("agent", "check", plugins / "refuse.so")
    assert said.code == 2
    assert "failed   load" in said.out
    assert "the magic of its descriptor" in said.out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--option", "flaw"], "--option flaw: give KEY=VALUE"),
        (["--option", "colour=red"], "there is no option 'colour'"),
        (["--path", "/etc"], "takes no path /etc; it takes: /@SUBTLE"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_tried(
    filed: Filed, plugins: Path, arguments: list[str], text: str
) -> None:
    said = filed("agent", "check", plugins / "subtle.so", *arguments)
    assert said.code == 1
    assert text in said.err
    assert said.out == ""


def test_a_file_that_is_not_there_is_told(filed: Filed, tmp_path: Path) -> None:
    assert filed("agent", "check", tmp_path / "none.so").code == 1


def test_values_may_hold_equals_signs() -> None:
    assert parse_options(("a=b=c", "d=")) == (("a", "b=c"), ("d", ""))
