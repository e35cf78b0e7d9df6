"""Where a backup does not go: addresses, unmounted disks, other people's directories."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.system.program import Ran, filed, filed_program


@pytest.fixture
def source(place: Path) -> Path:
    found = place / "s"
    found.mkdir()
    (found / "a").write_text("a")
    return found


@pytest.mark.parametrize(
    "address", ["sftp:host:/x", "sftp://host/x", "s3:bucket/x", "host:/srv/x", "root@host:x", "rest:https://host/"]
)
def test_an_address_is_no_directory(place: Path, source: Path, address: str) -> None:
    said = filed_program("backup", "-s", address, source, code=1, cwd=place)
    assert said.err.startswith(
        f"filed: {Path(address)}: filed writes to directories only, not to such an address; mount it"
    )
    assert sorted(path.name for path in place.iterdir()) == ["s"]


def test_an_address_in_a_conf_is_none_either(place: Path, source: Path) -> None:
    conf = place / "filed.conf"
    conf.write_text(
        "Job { Name = J; FileSet = F; Storage = D }\n"
        f"FileSet {{ Name = F\n Include {{\n File = {source}\n }}\n}}\n"
        'Storage { Name = D; Archive Device = "s3:bucket" }\n'
    )
    assert '"Archive Device" of Storage "D" is not an absolute path' in filed("backup", "-c", conf, code=1).err


def test_a_path_that_does_not_exist_is_made_and_the_report_says_so(place: Path, source: Path) -> None:
    said = filed("backup", "-s", place / "new" / "st", source)
    assert f"  {place}/new/st did not exist: it was made\n" in said.out
    assert "it was made" not in filed("backup", "-s", place / "new" / "st", source).out
    assert filed("backup", "-s", place / "other", "--json", source).json["created"] is True


def test_a_directory_that_is_no_storage_is_left_as_it_is(place: Path, source: Path) -> None:
    """/etc, by a slip; or the place where a disk would be mounted."""
    other, empty = place / "etc", place / "empty"
    other.mkdir()
    empty.mkdir()
    (other / "passwd").write_text("root")
    for directory, holds in ((other, "holds other files"), (empty, "is empty")):
        before = sorted(directory.iterdir())
        said = filed("backup", "-s", directory, source, code=1)
        assert said.err == (
            f"filed: {directory} {holds} and is no storage of filed yet. Is the disk mounted? If it is the right place:"
            f" filed init -s {directory}\n"
        )
        assert sorted(directory.iterdir()) == before
        filed("init", "-s", directory)
        filed("backup", "-s", directory, source)


def gone(storage: Path) -> None:
    shutil.rmtree(storage)


def unmounted(storage: Path) -> None:
    gone(storage)
    storage.mkdir()


def another_disk(storage: Path) -> None:
    gone(storage)
    filed("backup", "-s", storage.with_name("other"), storage.with_name("s"))
    storage.with_name("other").rename(storage)


@pytest.mark.parametrize(
    ("happens", "what"),
    [
        (gone, "does not exist, and was used here before, on "),
        (unmounted, "holds no backups, and was used here before, on "),
        (another_disk, "is another storage than the one that was used here before, on "),
    ],
)
def test_a_storage_that_was_used_before_and_is_gone_is_refused(
    place: Path, source: Path, happens: object, what: str
) -> None:
    storage = place / "st"
    filed("backup", "-s", storage, source)
    assert callable(happens)
    happens(storage)

    def refused(*words: str | Path) -> Ran:
        said = filed(words[0], "-s", storage, *words[1:], code=1)
        assert said.err.startswith(f"filed: {storage} {what}")
        assert "mounted?" in said.err
        return said

    refused("backup", source)
    refused("jobs")
    refused("restore", "--where", place / "r")
    refused("prune")
    filed("init", "-s", storage)
    filed("backup", "-s", storage, source)


def test_a_storage_from_before_ids_gets_one(place: Path, source: Path) -> None:
    storage = place / "st"
    filed("backup", "-s", storage, source)
    (storage / ".storage").unlink()
    filed("backup", "-s", storage, source)
    assert (storage / ".storage").read_text().startswith("filed 1 storage ")


def test_a_moved_storage_is_known_by_its_new_path(place: Path, source: Path) -> None:
    filed("backup", "-s", place / "st", source)
    (place / "st").rename(place / "moved")
    assert filed("backup", "-s", place / "moved", "--level", "incremental", "--json", source).json["files"] == 0


def test_what_this_machine_used_is_in_one_small_file_of_its_user(place: Path, source: Path) -> None:
    state = place / "state"
    filed_program("backup", "-s", place / "st", source, env={"XDG_STATE_HOME": str(state)})
    assert sorted(str(path.relative_to(state)) for path in state.rglob("*.json")) == ["filed/storages.json"]
    (state / "filed" / "storages.json").write_text("damaged")
    filed_program("backup", "-s", place / "st", source, env={"XDG_STATE_HOME": str(state)})
    filed_program("backup", "-s", place / "st", source, env={"XDG_STATE_HOME": "/proc/none", "HOME": "/proc/none"})
    assert os.listdir(state) == ["filed"]
