from __future__ import annotations

from pathlib import Path

import pytest

from filed.agents.abi import OptionType
from filed.agents.load import load
from filed.agents.scan import examine, scan
from filed.errors import AgentLoadError
from tests.agents.refuse import compile_refused


def test_every_agent_of_the_directories_is_listed_whole(agents_dir: Path) -> None:
    found = scan([agents_dir])
    assert [one.id for one in found] == ["bad", "good"]
    good = found[1]
    assert good.about == load("good", [agents_dir]).descriptor
    assert good.about is not None
    assert good.about.options[0].type is OptionType.INT
    assert (good.path, good.refused) == (agents_dir / "good.so", "")


def test_a_directory_that_is_not_there_has_no_agents(tmp_path: Path) -> None:
    assert scan([tmp_path / "none"]) == []


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ("BAD_MAGIC", "agent refuse: load: not loaded: the magic"),
        ("CONSTRUCTOR_CRASH", "agent refuse crashed (SIGSEGV) in load; not loaded"),
        ("CONSTRUCTOR_EXIT", "agent refuse called exit(7) in load; not loaded"),
        ("QUERY_CRASH", "agent refuse crashed (SIGSEGV) in query; not loaded"),
        ("QUERY_WILD", "agent refuse crashed (SIGSEGV) in query; not loaded"),
    ],
)
def test_what_kills_its_process_is_told_by_name(tmp_path: Path, variant: str, reason: str) -> None:
    compile_refused(variant, tmp_path)
    scanned = examine("refuse", [tmp_path])
    assert scanned.about is None
    assert scanned.refused.startswith(reason)


def test_what_hangs_is_killed_and_told(tmp_path: Path) -> None:
    compile_refused("QUERY_HANG", tmp_path)
    scanned = examine("refuse", [tmp_path], timeout_s=1.5)
    assert scanned.refused == "agent refuse made no progress for 2 s in query; not loaded"


def test_an_agent_that_is_nowhere_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AgentLoadError, match=r"there is no good\.so"):
        examine("good", [tmp_path])


def test_a_list_of_digests_holds_for_the_scan(agents_dir: Path) -> None:
    assert "SHA-256" in examine("good", [agents_dir], digests=["0" * 64]).refused
