"""Jobs as an operator runs them at the console, what the Director's catalog has of them, and the trees before and after."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from pathlib import Path
from typing import NamedTuple, TypeAlias

from tests.live.bacula import Bacula


class Entry(NamedTuple):
    """What a restore has to bring back of one entry. mtime: 0 of a symbolic link."""

    mode: int
    uid: int
    gid: int
    links: int
    device: int
    mtime: int
    content: bytes
    xattrs: tuple[tuple[str, bytes], ...]  # ACLs among them


Shown: TypeAlias = dict[bytes, Entry]


def shown(top: Path) -> Shown:
    """Everything below a directory, by its path there."""
    found = {}
    for path in (top, *top.rglob("*")):
        about = path.lstat()
        content = b""
        if path.is_symlink():
            content = os.fsencode(os.readlink(path))
        elif path.is_file():
            content = path.read_bytes()
        names = sorted(os.listxattr(path, follow_symlinks=False))
        found[os.fsencode(path.relative_to(top))] = Entry(
            about.st_mode,
            about.st_uid,
            about.st_gid,
            about.st_nlink if path.is_file() else 0,
            about.st_rdev,
            0 if path.is_symlink() else int(about.st_mtime),
            content,
            tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names),
        )
    return found


def saved(bacula: Bacula, job: str, level: str = "Full") -> int:
    """Run a backup to its good end. Returns its JobId."""
    said = bacula.console(f"run job={job} level={level} yes", "wait")
    found = re.search(r"JobId=(\d+)", said)
    assert found is not None, said
    assert status_of(bacula, int(found[1])) == "T", bacula.messages()
    return int(found[1])


def status_of(bacula: Bacula, job_id: int) -> str:
    return str(rows(bacula, f"SELECT JobStatus FROM Job WHERE JobId = {job_id}")[0][0])


def rows(bacula: Bacula, query: str) -> list[tuple[object, ...]]:
    catalog = sqlite3.connect(bacula.work / "catalog.db", timeout=20)
    catalog.text_factory = os.fsdecode
    try:
        return catalog.execute(query).fetchall()
    finally:
        catalog.close()


def files_of(bacula: Bacula, job_id: int) -> set[tuple[object, ...]]:
    """(name, whether it is marked as deleted, digest)"""
    query = bacula.release.select_files("File.FileIndex <= 0, File.MD5")
    return set(rows(bacula, f"{query} WHERE JobId = {job_id}"))


def restored(bacula: Bacula, job_ids: str, tree: Path, *more: str) -> Path:
    """Restore Jobs to the usual place, empty before. Returns where the tree is."""
    where = bacula.root / "restored"
    shutil.rmtree(where, ignore_errors=True)
    bacula.console(f"restore client={bacula.client} jobid={job_ids} all done yes {' '.join(more)}", "wait")
    (last,) = rows(bacula, "SELECT JobStatus FROM Job WHERE Type = 'R' ORDER BY JobId DESC LIMIT 1")
    assert last == ("T",), bacula.messages()
    return where / tree.relative_to("/")
