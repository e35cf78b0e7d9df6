"""The layout itself is compared with header, compilers and cffi in tests/abi/test_witnesses.py."""

from __future__ import annotations

import subprocess
import sys

from filed.agents.abi import (
    AGENT_SLOTS,
    ENTRY_SCOPE,
    STREAM_MASK,
    AgentStream,
    BpAgentApi,
    Status,
    version,
    version_text,
)


def test_a_version_is_written_as_people_say_it() -> None:
    assert version_text(version(1, 0)) == "1.0"
    assert version_text(version(12, 345)) == "12.345"


def test_the_stream_mask_has_a_bit_for_each_stream() -> None:
    assert sum(stream.bit for stream in AgentStream) == STREAM_MASK


def test_only_the_first_statuses_are_about_one_entry() -> None:
    assert {status.value for status in ENTRY_SCOPE} == {-1, -2, -3, -4, -5}
    assert Status.E_FAIL not in ENTRY_SCOPE


def test_a_table_of_zeros_has_no_function() -> None:
    api = BpAgentApi()
    assert not any(getattr(api, slot) for slot in AGENT_SLOTS)


def test_importing_the_mirror_costs_nothing_but_ctypes() -> None:
    code = "import ctypes, enum, typing, sys; before = set(sys.modules); import filed.agents.abi; print(set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    extra = {name for name in eval(done.stdout) if not name.startswith("filed")}
    assert extra == set() or "ctypes" not in done.stdout
