"""`filed catalog rebuild|check`."""

from __future__ import annotations

from tests.cli.conftest import Filed, Saved


def test_a_rebuilt_catalog_lists_the_same_trees(filed: Filed, saved: Saved) -> None:
    before = [filed("ls", "-s", saved.volumes, "--json", number).json for number in (1, 2)]
    (saved.volumes / "catalog.sqlite").unlink()
    said = filed("catalog", "rebuild", "-s", saved.volumes)
    assert said.code == 0
    assert said.out.startswith("2 Jobs with ")
    assert [filed("ls", "-s", saved.volumes, "--json", number).json for number in (1, 2)] == before


def test_a_rebuild_over_damage_warns_and_keeps_the_rest(filed: Filed, saved: Saved) -> None:
    volume = saved.volumes / "Vol-0001"
    data = bytearray(volume.read_bytes())
    data[-20] ^= 0xFF
    volume.write_bytes(data)
    said = filed("catalog", "rebuild", "-s", saved.volumes)
    assert said.code == 3
    assert "Warning: " in said.err
    assert filed("ls", "-s", saved.volumes, 1).code == 0


def test_a_sound_catalog_is_called_sound(filed: Filed, saved: Saved) -> None:
    said = filed("catalog", "check", "-s", saved.volumes)
    assert (said.code, said.out) == (0, "the catalog is sound\n")


def test_a_catalog_whose_base_is_missing_is_told_with_what_to_do(filed: Filed, saved: Saved) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(saved.volumes / "catalog.sqlite")) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("DELETE FROM job WHERE job_id = 1")
        database.commit()
    said = filed("catalog", "check", "-s", saved.volumes)
    assert said.code == 4
    assert "builds on JobId 1, which is missing" in said.err
    assert "filed catalog rebuild" in said.out


def test_a_directory_without_a_catalog_is_an_error(filed: Filed, tmp_path) -> None:
    said = filed("catalog", "check", "-s", tmp_path)
    assert said.code == 1
    assert said.err.startswith("filed: ")
