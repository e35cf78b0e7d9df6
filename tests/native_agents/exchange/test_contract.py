"""The agent's own conformance: what `filed agent check` tells its author, its page, and states that anybody may have written."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import build
from filed.agents import Action, AgentJob, AgentStream, Begin, Entry, EntryType, Kind, Replace, load
from filed.catalog import Catalog
from filed.cli.main import run
from filed.errors import AgentError, ItemError
from tests.native_agents.exchange.driving import begun, incremental
from tests.native_agents.exchange.jobs import ROOT, Jobs


def test_it_keeps_the_contract(jobs: Jobs, capfd: pytest.CaptureFixture[str]) -> None:
    library = jobs.place.agents[0] / "exchange.so"
    run(["agent", "check", os.fspath(library), "--option", f"library={jobs.library}"])
    said = capfd.readouterr().out
    assert "keeps the contract" in said, said
    warned = [line.split()[1] for line in said.splitlines() if line.startswith("warnings ")]
    assert warned == []


def test_its_page_has_its_options(jobs: Jobs) -> None:
    page = (build.ROOT / "native_agents" / "exchange" / "README.md").read_text()
    about = load("exchange", jobs.place.agents).descriptor
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) != []
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == {option.key for option in about.options}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_state_is_refused_or_read_and_never_more(
    jobs: Jobs, sealed_state: bytes, data: st.DataObject
) -> None:
    state = bytearray(sealed_state)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(state)))
        state[at : at + data.draw(st.integers(0, 40))] = data.draw(
            st.one_of(
                st.binary(max_size=3), st.sampled_from([b" ", b"\n", b"%", b"%00", b"9" * 30, b"database ", b"end\n"])
            )
        )
    refused = ""
    try:
        with begun(jobs, incremental(bytes(state), 1)) as (job, _):
            job.next_page()
    except AgentError as error:
        refused = str(error)
    assert not refused or "BP_E_BASE" in refused


@pytest.fixture
def sealed_state(jobs: Jobs) -> bytes:
    """What a Full has left for the next Job."""
    job = jobs.good().job
    assert job is not None
    with Catalog.read(jobs.place.volumes) as catalog:
        found = catalog.find_state(job.job, "exchange", "", job.fileset_digest).state
    assert found is not None
    return found.blob


def restoring(job: AgentJob, name: str, pieces: Sequence[bytes]) -> None:
    """As a Volume says it: each piece at the start of the file."""
    path = f"{ROOT}/g/{name}".encode()
    assert job.restore_entry(Entry(type=EntryType.REGULAR), path, path, Replace.ALWAYS) is Action.WANT
    job.restore_stream(AgentStream.DATA, None)
    for piece in pieces:
        job.write(piece, 0, last=False)
    job.restore_done()


def test_a_description_without_end_does_not_fill_the_memory(jobs: Jobs) -> None:
    with begun(jobs, Begin(Kind.RESTORE)) as (job, _), pytest.raises(ItemError, match="too long for a description"):
        restoring(job, ".filed-group", [bytes(1 << 18)] * 3)


def test_a_description_with_names_without_number_is_damaged(jobs: Jobs) -> None:
    text = (
        "filed-exchange 1\ngroup g\nservice Microsoft Information Store\ninstance 1\njob J1\nsaved databases\n"
        f"logs E00 1 1\nlast {'00' * 8}\nsignature {'00' * 28}\ntruncated no\n"
        f"database {'00' * 16} 1 {'61000000' * 50_000} d\nend\n"
    )
    with begun(jobs, Begin(Kind.RESTORE)) as (job, _), pytest.raises(ItemError, match="it is damaged"):
        restoring(job, ".filed-group", [text.encode()])
