from __future__ import annotations

from pathlib import Path

from filed.process.postmortem import KEPT, write_postmortem


def test_it_tells_what_happened_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = write_postmortem(tmp_path, 7, "agent a 1 crashed", ["its words"], ["signal 11", "a.so(read+0x5)"])
    assert path is not None
    assert path.name.endswith("-7.txt")
    assert path.stat().st_mode & 0o777 == 0o600
    lines = path.read_text().splitlines()
    assert lines[1:6] == ["agent a 1 crashed", "printed: its words", "", "signal 11", "a.so(read+0x5)"]


def test_a_name_that_is_no_text_is_told_too(tmp_path: Path) -> None:
    path = write_postmortem(tmp_path, 7, "crashed on /a\udcff", [], ["signal 11"])
    assert path is not None
    assert "crashed on /a\\udcff" in path.read_text("ascii")


def test_nothing_to_tell_leaves_no_file(tmp_path: Path) -> None:
    assert write_postmortem(tmp_path, 7, "agent a 1 called exit(3)", [], []) is None
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    assert write_postmortem(tmp_path / "gone", 7, "agent a 1 crashed", [], ["signal 11"]) is None


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for day in range(1, KEPT + 3):
        (tmp_path / f"filed-postmortem-200001{day:02}-000000-1.txt").write_text("old")
    newest = write_postmortem(tmp_path, 7, "agent a 1 crashed", [], ["signal 11"])
    left = sorted(tmp_path.iterdir())
    assert len(left) == KEPT
    assert newest in left
    assert left[0].name.startswith("filed-postmortem-20000104")
