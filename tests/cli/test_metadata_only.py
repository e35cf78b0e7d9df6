"""Volumes of bacula-fd 15 whose Incremental holds metadata-only records.

tests/job/golden/metadata-only-15.0.3 was written by Debian's daemons 15.0.3: a Full, then `chmod 600 a; chown 1234:4321 c; chmod 640 b`
(with a second name, `hard`), `chmod 700 d`, a file `new`, and an Incremental with `accurate = mcso5`. bacula-fd stored no content of `new`,
and behind some records the digest of another file.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Filed

VOLUME = Path(__file__).parents[1] / "job/golden/metadata-only-15.0.3"
TREE = "tmp/w15/s37/tree"


@pytest.fixture
def volumes(tmp_path: Path, filed: Filed) -> Path:
    made = tmp_path / "volumes"
    made.mkdir()
    shutil.copy(VOLUME, made / "Auto-0001")
    assert filed("catalog", "rebuild", "-s", made).code == 0
    return made


@pytest.mark.root
def test_a_restore_has_the_content_of_the_full_and_the_attributes_of_the_incremental(
    volumes: Path, tmp_path: Path, filed: Filed
) -> None:
    said = filed("restore", "-s", volumes, "latest", "--where", tmp_path / "back")
    back = tmp_path / "back" / TREE
    assert {name: (back / name).read_text()[:12] for name in "abc"} == {name: f"content of {name}" for name in "abc"}
    assert [(back / name).stat().st_mode & 0o777 for name in ("a", "b", "c", "d")] == [0o600, 0o640, 0o644, 0o700]
    assert ((back / "c").stat().st_uid, (back / "c").stat().st_gid) == (1234, 4321)
    assert (back / "hard").samefile(back / "b")
    assert "new: only its attributes were saved in this Job" in said.out + said.err + said.err
    assert said.code == 2
    assert not (back / "new").exists()


@pytest.mark.root
def test_the_tree_of_the_full_is_as_it_was(volumes: Path, tmp_path: Path, filed: Filed) -> None:
    assert filed("restore", "-s", volumes, "1", "--where", tmp_path / "back").code == 0
    assert (tmp_path / "back" / TREE / "a").stat().st_mode & 0o777 == 0o644


def test_a_healthy_volume_is_verified_without_a_complaint(volumes: Path, filed: Filed) -> None:
    said = filed("verify", "-s", volumes)
    assert (said.code, "all is well" in said.out) == (0, True)
    listed = filed("ls", "-s", volumes, "latest", "-l").out
    assert "-rw-------" in listed
    assert f"/{TREE}/new" in listed
