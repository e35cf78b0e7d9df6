"""Names that are exchanged while they are saved: what is stored under attributes is what had them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from filed.agents import AgentStream, Begin, Kind, Want
from filed.agents.instance import AgentJob
from filed.errors import ItemError
from tests.exchange_names import PAIRS, PRIVATE, PUBLIC, SIZE, being_exchanged, exchange, make_pairs

from .driving import Driver, Item, fileset_of

DATA = AgentStream.DATA.bit


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A file that everybody may read, and one for its owner alone."""
    top = tmp_path / "top"
    top.mkdir()
    for name, content, mode in (("public", PUBLIC, 0o644), ("private", PRIVATE, 0o600)):
        (top / name).write_bytes(content * (SIZE // 6))
        (top / name).chmod(mode)
    return top / "public", top / "private"


def wants(job: AgentJob) -> dict[bytes, Want]:
    """Of the files of the only page."""
    page = job.next_page()
    assert page is not None
    return {os.path.basename(name): Want(entry.cookie, DATA) for entry, name in page if entry.streams & DATA}


def test_a_file_is_read_that_had_the_attributes_when_names_are_exchanged(
    driver: Driver, pair: tuple[Path, Path]
) -> None:
    with driver.job(Begin(Kind.BACKUP, fileset=fileset_of(pair[0].parent))) as job:
        listed = wants(job)
        page = job.fetch([listed[b"public"], listed[b"private"]])
        exchange(*pair)
        for entry, content in zip(page.entries, (PUBLIC, PRIVATE), strict=True):
            item = Item(entry, b"")
            driver.read(job, item)
            assert item.data == content * (SIZE // 6)


def write_elsewhere(one: Path, other: Path) -> None:
    one.rename(one.with_name("aside"))
    other.rename(one)


@pytest.mark.parametrize("change", [exchange, write_elsewhere, lambda one, _: one.chmod(0o600)])
def test_a_second_reading_finds_the_same_file_or_fails(
    driver: Driver, pair: tuple[Path, Path], change: Callable[[Path, Path], object]
) -> None:
    """Its attributes are those of the first."""
    with driver.job(Begin(Kind.BACKUP, fileset=fileset_of(pair[0].parent))) as job:
        (entry,) = job.fetch([wants(job)[b"public"]]).entries
        for _ in range(2):
            item = Item(entry, b"")
            driver.read(job, item)
            assert item.data == PUBLIC * (SIZE // 6)
        change(*pair)
        with pytest.raises(ItemError, match="after its attributes were read"):
            job.open_stream(entry.cookie, AgentStream.DATA)


def test_what_was_only_listed_is_not_read_under_another_name(driver: Driver, pair: tuple[Path, Path]) -> None:
    with driver.job(Begin(Kind.BACKUP, fileset=fileset_of(pair[0].parent))) as job:
        want = wants(job)[b"public"]
        exchange(*pair)
        with pytest.raises(ItemError, match="after its attributes were read"):
            job.open_stream(want.cookie, AgentStream.DATA)


def test_many_large_files_are_fetched_a_few_at_a_time(driver: Driver, tmp_path: Path) -> None:
    """Each stays open until it is read, and a process has so many descriptors."""
    make_pairs(tmp_path)
    for number in range(80):
        (tmp_path / f"more{number}").write_bytes(b"x" * SIZE)
    with driver.job(Begin(Kind.BACKUP, fileset=fileset_of(tmp_path))) as job:
        left, open_before = list(wants(job).values()), len(os.listdir("/proc/self/fd"))
        fetched = []
        while left:
            page = job.fetch(left)
            assert len(os.listdir("/proc/self/fd")) - open_before <= 64
            fetched += page.entries
            left = left[len(page) :]
        assert len(fetched) == 120
        for entry in fetched[-32:]:  # those before were closed again, and are opened by name
            item = Item(entry, b"")
            driver.read(job, item)
            assert item.trouble == ""


def test_a_symbolic_link_leads_where_its_own_text_says(driver: Driver, tmp_path: Path) -> None:
    """Each of a pair has a time of its own, by which they are known apart."""
    for number in range(PAIRS):
        for name, target in ((f"{number}.a", "to"), (f"{number}.b", "elsewhere")):
            (tmp_path / name).symlink_to(target)
            os.utime(tmp_path / name, (len(target), len(target)), follow_symlinks=False)
    with being_exchanged(tmp_path):
        for _ in range(30):
            found = [item for item in driver.backup(fileset_of(tmp_path)) if item.link]
            assert len(found) > PAIRS
            assert all(item.entry.mtime == len(item.link) for item in found)


def test_nothing_private_is_saved_as_public_while_names_are_exchanged(driver: Driver, tmp_path: Path) -> None:
    make_pairs(tmp_path)
    for number in range(PAIRS):
        os.setxattr(tmp_path / f"{number}.a", "user.kind", PUBLIC)
        os.setxattr(tmp_path / f"{number}.b", "user.kind", PRIVATE)
    with being_exchanged(tmp_path):
        for _ in range(3):
            saved = [item for item in driver.backup(fileset_of(tmp_path)) if item.size]
            assert len(saved) > PAIRS
            for item in saved:
                kind = PUBLIC if item.entry.mode & 0o44 else PRIVATE
                assert item.data == kind * (SIZE // 6)
                assert item.xattrs == {b"user.kind": kind}
