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


def test_a_pattern_of_options_that_matched_nothing_is_reported(place: Path, store: Store, source: Path) -> None:
    (source / "a.o").touch()
    store("init")
    chosen = conf(place, store, 'wild = "*.o"; wilddir = "*/tmp"; regexfile = "~$"; exclude = yes')
    for _ in range(2):
        said = filed("backup", "-c", chosen).err
        assert 'Options: wilddir = "*/tmp" with exclude = yes matched nothing\n' in said
        assert 'Options: regexfile = "~$" with exclude = yes matched nothing\n' in said
        assert said.count("matched nothing") == 2


def test_a_list_of_paths_is_saved_and_another_list_needs_no_full(store: Store, place: Path, source: Path) -> None:
    paths = place / "paths"
    paths.write_bytes(b"s/a\n\n" + os.fsencode(source / "b") + b"\n")
    assert (
        filed("backup", "-s", store.path, "--files-from", paths, "--json", before=lambda: os.chdir(place)).json["files"]
        == 2
    )
    (source / "new\nline").touch()
    paths.write_bytes(b"\0".join(os.fsencode(source / name) for name in ("b", "new\nline")) + b"\0")
    ran = store("backup", "--files-from", paths, "--null", "--json")
    assert (ran.json["level"], ran.json["files"], ran.json["deleted"]) == ("Incremental", 1, 1)
    assert store("verify", "--disk").code == 0
    paths.write_text("\n")
    assert "--files-from names nothing" in store("backup", "--files-from", paths, code=1).err


def test_patterns_come_from_a_file_too(store: Store, place: Path, source: Path) -> None:
    (source / "#c").touch()
    (place / "patterns").write_text("# what needs no backup\n\n  a  \n\\#c\n")
    store("backup", "--exclude-file", place / "patterns", source)
    listed = store("ls").out.split()
    assert f"{source}/b" in listed
    assert f"{source}/a" not in listed


def test_caches_are_those_with_the_signature(store: Store, source: Path) -> None:
    for name, text in (("cache", "Signature: 8a477f597d28d172789f06886806bc55\n# see"), ("no", "Signature: 8a47")):
        (source / name).mkdir()
        (source / name / "CACHEDIR.TAG").write_text(text)
        (source / name / "f").touch()
    store("backup", "--exclude-caches", source)
    listed = store("ls").out
    assert "/no/f" in listed
    assert "/cache" not in listed


def test_large_files_are_left_out_and_gone_from_the_tree_once_they_are_large(
    store: Store, place: Path, source: Path
) -> None:
    (source / "c").write_bytes(b"c" * 1025)
    words = ("--exclude-larger-than", "1k")
    store("backup", *words, source)
    assert f"{source}/c" not in store("ls").out
    assert f"{source}/a" in store("ls").out
    (source / "a").write_bytes(b"a" * 5000)
    assert store("backup", *words, "--json", source).json["deleted"] == 1
    assert store("verify", "--disk").code == 0
    assert "is no size" in store("backup", "--exclude-larger-than", "much", source, code=1).err
    chosen = conf(place, Store(place / "other"), "Exclude Larger Than = 1k")
    filed("backup", "-c", chosen)
    assert f"{source}/c" not in filed("ls", "-c", chosen).out


def test_a_dry_run_says_what_a_backup_would_save_and_writes_nothing(store: Store, source: Path) -> None:
    ran = store("backup", "--dry-run", source)
    listed = [line for line in ran.out.splitlines() if line[0] in "+M-"]
    assert sorted(listed) == [f"+ {source}/", f"+ {source}/a", f"+ {source}/b"]
    assert "Full: 3 files, 2 B would be read" in ran.out
    assert not store.path.exists()
    store("backup", source)
    (source / "a").write_text("other")
    (source / "b").unlink()
    (source / "c").touch()
    before = (store.path / "Vol-0001").read_bytes(), store.jobs()
    found = store("backup", "--dry-run", "--json", source).json
    assert (found["level"], found["files"], found["bytes"], found["deleted"]) == ("Incremental", 3, 5, 1)
    assert {entry["path"]: entry["change"] for entry in found["entries"]} == {
        f"{source}/a": "M",
        f"{source}/c": "+",
        f"{source}/": "M",
        f"{source}/b": "-",
    }
    assert ((store.path / "Vol-0001").read_bytes(), store.jobs()) == before
    assert store("backup", "--json", source).json["files"] == 3


def test_patterns_choose_what_is_listed_and_restored(store: Store, place: Path, source: Path) -> None:
    (source / "d").mkdir()
    (source / "d" / "a").write_text("inner")
    (source / "[x]").write_text("a name, not a pattern")
    store("backup", source)
    assert store("ls", f"{source}/?").out.split() == [f"{source}/a", f"{source}/b", f"{source}/d/", f"{source}/d/a"]
    store("restore", "latest", "--where", place / "r", f"{source}/**/a", f"{source}/[x]")
    there = place / "r" / source.relative_to("/")
    assert sorted(str(path.relative_to(there)) for path in there.rglob("*")) == ["[x]", "a", "d", "d/a"]
    assert f"no good backup holds {source}/*.z" in store("ls", f"{source}/*.z", code=1).err
    assert f"nothing in JobId 1 matches {source}/*.z" in store("ls", "1", f"{source}/*.z", code=1).err
