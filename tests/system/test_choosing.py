"""What a backup takes, as people ask for it: paths in any order and encoding, excludes as they are typed, letters of what to compare."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from tests.system.conftest import Store
from tests.system.program import filed


def conf(place: Path, store: Store, options: str, exclude: str = "") -> Path:
    found = place / "filed.conf"
    found.write_text(
        "Job { Name = J; FileSet = F; Storage = D; Level = Incremental }\n"
        f"FileSet {{ Name = F\n Include {{\n Options {{ signature = SHA256; {options} }}\n File = {place}/s\n }}\n {exclude} }}\n"
        f"Storage {{ Name = D; Archive Device = {store.path} }}\n"
    )
    return found


def saved(conf: Path) -> int:
    return int(filed("backup", "-c", conf, "--json").json["files"])


@pytest.fixture
def source(place: Path) -> Path:
    found = place / "s"
    found.mkdir()
    for name in ("a", "b"):
        (found / name).write_text(name)
        os.utime(found / name, (1_600_000_000, 1_600_000_000))
    os.utime(found, (1_600_000_000, 1_600_000_000))
    return found


def test_the_order_of_paths_has_no_meaning(store: Store, source: Path) -> None:
    store.backup("full", source / "a", source / "b")
    found = store.backup("incremental", source / "b", f"{source}/./a")
    assert (found["level"], found["files"]) == ("Incremental", 0)


def test_a_path_that_is_not_utf_8_is_saved_as_an_argument(store: Store, place: Path) -> None:
    odd = os.fsencode(place) + b"/caf\xe9 \\x \\"
    Path(os.fsdecode(odd)).mkdir()
    Path(os.fsdecode(odd + b"/f")).write_text("x")
    assert store.backup("full", odd)["files"] == 2
    assert store.backup("incremental", odd)["files"] == 0
    store("verify", "--disk")
    store("restore", "--where", place / "r")
    assert Path(os.fsdecode(os.fsencode(place / "r") + odd + b"/f")).read_text() == "x"


def test_mtimeonly_holds_without_a_director(store: Store, place: Path, source: Path) -> None:
    chosen = conf(place, store, "mtimeonly = yes")
    assert saved(chosen) == 3
    (source / "a").chmod(0o600)
    (source / "b").write_text("bb")
    assert saved(chosen) == 1


def test_content_letters_hold_without_a_director(store: Store, place: Path, source: Path) -> None:
    """Through a mapping that was already dirty, content changes and no time does: here the times are put back to the same end."""
    big = source / "big"
    big.write_bytes(b"x" * 8192)
    letters = conf(place, store, "mtimeonly = yes; accurate = ms1")
    assert saved(letters) == 4
    before = big.stat()
    with big.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[4096] = ord("y")
        mapped.flush()
    os.utime(big, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert saved(letters) == 1
    assert saved(letters) == 0


@pytest.mark.parametrize(
    "pattern", ["cache", "cache/", "**/cache/", "sub/cache", "./sub/cache", "*/cache", "{source}/sub/cache/"]
)
def test_excludes_are_taken_as_people_type_them(store: Store, place: Path, source: Path, pattern: str) -> None:
    (source / "sub" / "cache").mkdir(parents=True)
    (source / "sub" / "cache" / "f").touch()
    pattern = pattern.format(source=source)
    said = store("backup", "--exclude", pattern, source)
    assert "/cache" not in store("ls").out
    assert "matched nothing" not in said.err
    chosen = conf(place, Store(place / "other"), "", f'Exclude {{ File = "{pattern}" }}')
    filed("backup", "-c", chosen)
    assert "/cache" not in filed("ls", "-c", chosen).out


def test_an_exclude_that_matched_nothing_is_reported(store: Store, source: Path) -> None:
    said = store("backup", "--exclude", "nothing/", "--exclude", "a", source)
    assert 'Exclude "*/nothing" matched nothing\n' in said.err
    assert said.err.count("matched nothing") == 1
