"""`filed agent list|info|options`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agents.compile import compile_agent
from tests.cli.conftest import Filed


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("plugins")
    compile_agent("good.c", directory, "good")
    compile_agent("refuse.c", directory, "refuse", ["QUERY_CRASH"])
    compile_agent("refuse.c", directory, "plain", ['ID="plain"'])
    return directory


def test_list_shows_our_agents_and_the_shipped_ones_and_what_was_refused(filed: Filed, plugins: Path) -> None:
    said = filed("agent", "list", "-d", plugins)
    assert said.code == 3
    lines = {row.split()[0]: row for row in said.out.splitlines()[1:]}
    assert str(plugins / "good.so") in lines["good"]
    assert "filesystem" in lines
    assert "refuse" in said.err
    assert "crashed" in said.err


def test_list_as_json_has_every_agent_with_a_reason_or_a_description(filed: Filed, plugins: Path) -> None:
    found = {one["id"]: one for one in filed("agent", "list", "--json", "-d", plugins).json}
    assert found["good"]["about"]["version"] == "1.0"
    assert found["good"]["about"]["claims"] == ["/@GOOD"]
    assert found["refuse"]["about"] is None
    assert found["refuse"]["refused"]


def test_info_says_what_an_agent_takes_and_restores(filed: Filed, plugins: Path) -> None:
    said = filed("agent", "info", "-d", plugins, "good.so")
    assert said.code == 0
    facts = dict(row.split(":", 1) for row in said.out.splitlines())
    assert facts["Agent"].strip() == "good 1.0"
    assert facts["File lines"].strip() == "/@GOOD"
    assert facts["Restores also"].strip() == "fine"
    assert facts["Does"].strip() == "backup and restore"


def test_options_shows_kinds_defaults_and_who_may_set_them(filed: Filed, plugins: Path) -> None:
    said = filed("agent", "options", "-d", plugins, "good")
    assert "files = int, else 8 (from director)" in said.out
    assert "contents = inline|fetch|stream, else inline" in said.out
    assert {spec["key"] for spec in filed("agent", "options", "--json", "-d", plugins, "good").json} >= {"files", "big"}


def test_an_agent_that_is_not_there_is_an_error_with_the_places_looked_at(filed: Filed, plugins: Path) -> None:
    said = filed("agent", "info", "-d", plugins, "oracle")
    assert said.code == 1
    assert "there is no oracle.so" in said.err
    assert str(plugins) in said.err


def test_an_agent_that_crashes_when_it_is_asked_is_an_error_here_too(filed: Filed, plugins: Path) -> None:
    said = filed("agent", "options", "-d", plugins, "refuse")
    assert said.code == 1
    assert "crashed (SIGSEGV)" in said.err


def test_an_agent_without_options_says_so(filed: Filed, plugins: Path) -> None:
    assert filed("agent", "options", "-d", plugins, "plain").out == "plain takes no options\n"
    assert filed("agent", "options", "-d", plugins, "--json", "plain").json == []


def test_the_shipped_agent_claims_any_path(filed: Filed) -> None:
    facts = dict(row.split(":", 1) for row in filed("agent", "info", "filesystem").out.splitlines())
    assert facts["File lines"].strip() == "any path"
    assert facts["Restores also"].strip() == "-"


def test_documents_keep_their_keys(filed: Filed, plugins: Path) -> None:
    one = filed("agent", "info", "--json", "-d", plugins, "good").json
    assert list(one) == ["id", "library", "refused", "version", "about"]
    assert {"id", "version", "vendor", "license", "claims", "options", "can_backup", "can_restore"} <= set(one["about"])
    option = filed("agent", "options", "--json", "-d", plugins, "good").json[0]
    assert {"key", "help", "type", "initial", "choices", "flags"} <= set(option)


def test_cflags_find_both_headers(filed: Filed) -> None:
    directory = Path(filed("agent", "cflags").out.strip().removeprefix("-I"))
    assert {"bplugin.h", "bplugin_sdk.h"} <= {path.name for path in directory.iterdir()}


@pytest.mark.parametrize("name", ["../filesystem", "File System", "", "/etc/passwd"])
def test_what_is_no_agents_name_is_refused_before_anything_is_looked_for(filed: Filed, name: str) -> None:
    said = filed("agent", "info", name)
    assert said.code == 1
    assert "this is no agent's name" in said.err
