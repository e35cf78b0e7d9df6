"""Another host than today's: longer structs, a wider stride, smaller pages; agents that keep the contract run on each."""

from __future__ import annotations

import ctypes

import pytest

from filed.agents import Agent, Begin, Kind, Level, Library, StatusPage
from filed.agents.abi import BpBatch, BpBegin
from filed.agents.shape import HostShape
from tests.agents.flows import Recorder, take_all


def names(library: Library, shape: HostShape) -> list[bytes]:
    with (
        Agent(library, Recorder(), StatusPage(), shape=shape) as agent,
        agent.begin(Begin(Kind.BACKUP, Level.FULL, job="job.1")) as job,
    ):
        return list(take_all(job).entries)


@pytest.mark.parametrize(
    "shape",
    [HostShape(later_bytes=8), HostShape(later_bytes=64, features=1 << 40), HostShape(max_entries=1)],
    ids=["longer", "longer-with-features", "one-entry-a-page"],
)
def test_an_agent_that_keeps_the_contract_runs_on_it(good: Library, shape: HostShape) -> None:
    assert names(good, shape) == names(good, HostShape())


def test_a_struct_is_as_long_as_this_host_has_it_and_says_so() -> None:
    memory = HostShape(later_bytes=16).memory(BpBegin(kind=Kind.BACKUP))
    assert len(memory) == ctypes.sizeof(BpBegin) + 16
    assert memory.raw.endswith(b"\xa5" * 16)
    begin = BpBegin.from_buffer(memory)
    assert (begin.struct_size, begin.kind) == (len(memory), Kind.BACKUP)
    assert len(HostShape().memory(BpBatch())) == ctypes.sizeof(BpBatch)
