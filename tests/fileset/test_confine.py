"""A FileSet of a Director, held to the directories that the conf of this machine names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.fileset import FileSet, Include, Matcher, Options
from filed.fileset.confine import confined


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("ok/no", "okay", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "ok/link").symlink_to(tmp_path / "other")
    return tmp_path


def held(tree: Path, line: str, *, allowed: str = "", barred: str = "") -> tuple[list[str], list[str]]:
    """The File lines that are left of one, relative to the tree, and what a person is told."""
    told: list[str] = []

    def places(names: str) -> tuple[bytes, ...]:
        return tuple(bytes(tree / name) for name in names.split())

    fileset = FileSet(
        (Include(files=(os.fsencode(f"{tree}/{line}"),)),), allowed=places(allowed), barred=places(barred)
    )
    files = confined(fileset, told.append).includes[0].files
    return [os.fsdecode(file).removeprefix(f"{tree}").lstrip("/") for file in files], told


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("ok", ["ok"]),
        ("ok/", ["ok/"]),
        ("ok/no", ["ok/no"]),
        ("", ["ok", "ok/no/deep"]),
        ("other", []),
        ("okay", []),
        ("ok/../other", []),
        ("ok/link", []),
        ("ok/link/file", []),
        ("ok/no/../no", ["ok/no/../no"]),
    ],
)
def test_only_what_is_allowed_is_left_wherever_a_line_leads(tree: Path, line: str, left: list[str]) -> None:
    found, told = held(tree, line, allowed="ok ok/no/deep")
    assert found == left
    assert bool(told) is (left != [line])
    assert all("outside of the Allowed Backup Directories" in text for text in told)


@pytest.mark.parametrize(
    ("line", "left"),
    [("ok", True), ("", True), ("ok/no", False), ("ok/no/x", False), ("okay", True), ("ok/../ok/no", False)],
)
def test_what_is_excluded_is_not_saved_by_a_line_of_its_own(tree: Path, line: str, *, left: bool) -> None:
    found, told = held(tree, line, barred="ok/no")
    assert bool(found) is left
    assert bool(told) is not left


def test_a_line_that_leads_by_a_link_to_what_holds_an_excluded_directory_is_not_saved(tree: Path) -> None:
    (tree / "way").symlink_to(tree / "ok")
    found, told = held(tree, "way/", barred="ok/no")
    assert not found
    assert "Excluded Backup Directory" in told[0]


def test_no_options_block_brings_back_what_is_excluded(tree: Path) -> None:
    include = Include(options=(Options(wild=(b"*",)),), files=(bytes(tree),))
    matcher = Matcher(FileSet((include,), barred=(bytes(tree / "ok/no"),)))
    matcher.directory(bytes(tree), 1, top=True)
    assert matcher.directory(bytes(tree / "ok"), 1)[0].name == "TAKE"
    assert matcher.directory(bytes(tree / "ok/no"), 1)[0].name == "SKIP"
    assert matcher.file(bytes(tree / "ok/no/file")) is None
    assert matcher.file(bytes(tree / "ok/nobody")) is not None


def test_the_directories_of_a_machine_are_no_part_of_what_a_fileset_says() -> None:
    plain = FileSet((Include(files=(b"/a",)),))
    assert FileSet(plain.includes, allowed=(b"/a",), barred=(b"/b",)).digest() == plain.digest()
