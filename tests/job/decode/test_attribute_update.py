"""Metadata-only records, as bacula-fd 15 writes them: new attributes for a file that is there already, and for no other."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from filed.errors import ItemError
from filed.job.decode.attribute_update import extended_attributes, update_attributes
from filed.wire.attributes import Stat
from filed.wire.stream import Stream
from filed.wire.xattr import pack_xattrs

LATER = 1_700_000_000


def stat(size: int) -> Stat:
    return Stat(mode=0o100600, size=size, uid=os.geteuid(), gid=os.getegid(), atime=LATER, mtime=LATER)


def update(
    where: Path, name: str, size: int, since: float | None = None, meta: Mapping[bytes, bytes] = MappingProxyType({})
) -> bool:
    return update_attributes(bytes(where / name), bytes(where), stat(size), meta, since=since)


def test_mode_and_times_are_those_of_the_record_and_the_content_stays(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a").write_text("content")
    assert update(tmp_path, "sub/a", 7)
    about = (tmp_path / "sub/a").stat()
    assert (about.st_mode, about.st_mtime, about.st_atime) == (0o100600, LATER, LATER)
    assert (tmp_path / "sub/a").read_text() == "content"


def test_a_file_whose_content_was_not_brought_back_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(ItemError, match="its content is not there: restore it with the Job that has it"):
        update(tmp_path, "a", 7)
    assert not list(tmp_path.iterdir())


def test_another_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("of somebody else")
    (tmp_path / "d").mkdir()
    before = (tmp_path / "a").stat()
    for name in "ad":
        with pytest.raises(ItemError, match="what is there is another file"):
            update(tmp_path, name, 7)
    assert (tmp_path / "a").stat() == before


@pytest.mark.parametrize("name", ["../victim", "sub/../../victim", "../where/../victim"])
def test_no_path_leads_up_and_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "where" / "sub").mkdir(parents=True)
    (tmp_path / "victim").write_text("content")
    before = (tmp_path / "victim").stat()
    with pytest.raises(ItemError, match="leads out of where the restore belongs"):
        update(tmp_path / "where", name, 7)
    assert (tmp_path / "victim").stat() == before


@pytest.mark.parametrize("name", ["link", "way/a"])
def test_no_symbolic_link_leads_elsewhere(tmp_path: Path, name: str) -> None:
    where, outside = tmp_path / "where", tmp_path / "outside"
    where.mkdir()
    outside.mkdir()
    (outside / "a").write_text("content")
    (where / "link").symlink_to(outside / "a")
    (where / "way").symlink_to(outside)
    before = (outside / "a").stat()
    with pytest.raises(ItemError):
        update(where, name, 7)
    assert (outside / "a").stat() == before


def test_what_was_there_before_the_job_is_left_alone_where_it_is_not_to_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("content")
    before = (tmp_path / "a").stat()
    assert not update(tmp_path, "a", 7, since=time.time() + 60)
    assert not update(tmp_path, "gone", 7, since=time.time() + 60)
    assert (tmp_path / "a").stat() == before
    assert update(tmp_path, "a", 7, since=time.time() - 60)


def test_acl_and_extended_attributes_are_those_behind_the_record(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text("content")
        subprocess.run(["setfacl", "-m", "u:1234:rwx", tmp_path / name], check=True)
        os.setxattr(tmp_path / name, "user.old", b"1")
    acl = b"user::rw-\nuser:4321:r--\nuser:daemon:rw-\ngroup::r--\nmask::rw-\nother::---\n\0"
    meta = dict(extended_attributes(Stream.ACL_LINUX_ACCESS, acl))
    meta |= dict(extended_attributes(Stream.XATTR_LINUX, pack_xattrs([(b"user.new", b"2")])))
    assert update(tmp_path, "a", 7, meta=meta)
    assert {name: os.getxattr(tmp_path / "a", name) for name in os.listxattr(tmp_path / "a")} == {
        "system.posix_acl_access": meta[b"system.posix_acl_access"],
        "user.new": b"2",
    }
    shown = subprocess.run(["getfacl", "-cnp", tmp_path / "a"], check=True, capture_output=True, text=True).stdout
    assert (
        shown.split()
        == acl.decode()
        .replace("daemon", "1")
        .replace("4321", "X")
        .split("\n\0")[0]
        .replace("user:X:r--\nuser:1:rw-", "user:1:rw-\nuser:4321:r--")
        .split()
    )
    assert update(tmp_path, "b", 7), "both were taken away since"
    assert os.listxattr(tmp_path / "b") == []
