"""What this machine remembers of its storages."""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.cli.known_storages import recall, remember


def test_what_is_remembered_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert recall(tmp_path) is None
    assert remember(tmp_path, "an id")
    known = recall(tmp_path)
    assert known is not None
    assert known.id == "an id"


def test_nothing_is_written_or_believed_where_others_could_put_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert remember(tmp_path, "an id")
    (tmp_path / "precious").write_text("of root")
    (tmp_path / "filed" / "storages.new").symlink_to(tmp_path / "precious")
    (tmp_path / "filed").chmod(0o777)
    assert recall(tmp_path) is None
    assert not remember(tmp_path, "another")
    assert (tmp_path / "precious").read_text() == "of root"
