from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from filed.catalog import Catalog, Level, Seal, SealedState, StateWhy
from filed.errors import CatalogError
from filed.job.agents.states_file import known_states, mark_restored, open_states, states_path
from filed.job.description import DirectorJob
from tests.job.conftest import Desk

STATE = SealedState("pg", "", 1, b"blob" * 5000)


def who(work: Path) -> DirectorJob:
    return DirectorJob(7, "Save.1", "Save", "a-dir", "a-fd", work)


def sealed(desk: Desk, work: Path, job: str = "Save.1") -> None:
    with open_states(desk.context.messages, work) as catalog:
        catalog.seal(Seal("a-dir", job, "Save", Level.FULL, "fs", 1), [STATE])


def why(catalog: Catalog, job: str = "Save.1") -> StateWhy:
    return catalog.find_state(job, "pg", "", "fs", director="a-dir").why


def test_what_is_sealed_is_found_when_it_is_opened_again(desk: Desk, tmp_path: Path) -> None:
    sealed(desk, tmp_path)
    with open_states(desk.context.messages, tmp_path) as catalog:
        assert why(catalog) is StateWhy.FOUND
    assert desk.texts() == []


def spoil_the_head(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def spoil_a_page(path: Path) -> None:
    data = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'agent_state'").fetchone()
    data[(root - 1) * 4096 : (root - 1) * 4096 + 100] = bytes(100)
    path.write_bytes(data)


@pytest.mark.parametrize("spoil", [spoil_the_head, spoil_a_page])
def test_a_damaged_file_is_set_aside_and_another_begun(desk: Desk, tmp_path: Path, spoil) -> None:
    sealed(desk, tmp_path)
    spoil(states_path(tmp_path))
    before = states_path(tmp_path).read_bytes()
    with open_states(desk.context.messages, tmp_path) as catalog:
        assert why(catalog) is StateWhy.FIRST
    (told,) = desk.texts()
    assert "is damaged" in told
    assert "agents find no state today, and save all they have" in told
    (aside,) = tmp_path.glob("filed-states.sqlite.damaged-*")
    assert aside.read_bytes() == before
    sealed(desk, tmp_path, "Save.2")
    with open_states(desk.context.messages, tmp_path) as catalog:
        assert (why(catalog, "Save.2"), why(catalog)) == (StateWhy.FOUND, StateWhy.LOST)


def test_a_lost_file_is_begun_anew_without_a_word(desk: Desk, tmp_path: Path) -> None:
    sealed(desk, tmp_path)
    states_path(tmp_path).unlink()
    with open_states(desk.context.messages, tmp_path) as catalog:
        assert why(catalog) is StateWhy.FIRST
    assert desk.texts() == []


def test_a_file_of_somebody_else_is_left_alone(desk: Desk, tmp_path: Path) -> None:
    with closing(sqlite3.connect(states_path(tmp_path))) as connection:
        connection.execute("CREATE TABLE mine (a)")
    with pytest.raises(CatalogError, match="of another program; filed does not touch it"):
        open_states(desk.context.messages, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_an_estimate_looks_and_makes_nothing(desk: Desk, tmp_path: Path) -> None:
    assert known_states(desk.context.messages, tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    sealed(desk, tmp_path)
    found = known_states(desk.context.messages, tmp_path)
    assert found is not None
    with found:
        assert why(found) is StateWhy.FOUND
    spoil_the_head(states_path(tmp_path))
    assert known_states(desk.context.messages, tmp_path) is None
    assert "estimated without" in desk.texts()[0]


def test_a_restore_marks_what_there_is(desk: Desk, tmp_path: Path) -> None:
    mark_restored(desk.context.messages, who(tmp_path), "pg")
    assert list(tmp_path.iterdir()) == []
    sealed(desk, tmp_path)
    mark_restored(desk.context.messages, who(tmp_path), "pg")
    with open_states(desk.context.messages, tmp_path) as catalog:
        assert why(catalog) is StateWhy.RESTORED
    spoil_the_head(states_path(tmp_path))
    mark_restored(desk.context.messages, who(tmp_path), "pg")
    assert "run a Full next" in desk.texts()[0]
