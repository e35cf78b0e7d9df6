"""Looking for files over Jobs: by pattern, by path, and what two Jobs differ in."""

# ruff: noqa: S608 - the statements are joined from constants

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from filed.catalog.database import Database
from filed.catalog.tree import FILE_COLUMNS, FileRow
from filed.errors import StreamError
from filed.wire.attributes import FileType, decode_stat, parse_nanoseconds


@dataclass(frozen=True, slots=True)
class PathGlob:
    """What `find` looks for: `*`, `?` and `[...]`. With a slash the whole path has to match, else its last part.

    `*` takes slashes too, and a directory is meant with or without its slash at the end. begins: what each path that matches begins with;
    holds: what it has somewhere; both may be b"".
    """

    pattern: re.Pattern[bytes]
    begins: bytes = b""
    holds: bytes = b""


def path_glob(glob: bytes) -> PathGlob:
    glob = glob.rstrip(b"/")
    body = fnmatch.translate(glob.decode("latin-1")).removesuffix(r"\Z").encode("latin-1")
    whole = b"/" in glob
    literals = _literals(glob)
    return PathGlob(
        re.compile((b"" if whole else rb"(?s:.*/)?") + body + rb"/?\Z"),
        begins=literals[0] if whole else b"",
        holds=max(literals, key=len),
    )


def _literals(glob: bytes) -> list[bytes]:
    """What stands before, between and behind `*`, `?` and `[...]`, which are cut as fnmatch cuts them; at least one, perhaps b""."""
    found, at = [b""], 0
    while at < len(glob):
        byte = glob[at : at + 1]
        at += 1
        if byte == b"[":
            negated = at + (glob[at : at + 1] == b"!")
            end = glob.find(b"]", negated + (glob[negated : negated + 1] == b"]"))
            at = end + 1 if end >= 0 else at
        if byte in b"*?[":
            found.append(b"")
        else:
            found[-1] += byte
    return found


def find(database: Database, glob: PathGlob, job_ids: Iterable[int] = ()) -> Iterator[FileRow]:
    """Rows of all Jobs, or of some, whose path matches; Job by Job, by path.

    What the paths begin with is looked up; what they hold is looked for by SQLite, which makes a row for Python of those alone.
    """
    wanted = list(job_ids) or [
        row[0] for row in database.all("SELECT job_id FROM job WHERE status <> 'R' ORDER BY job_id")
    ]
    where, parameters = "job_id = ?", list[bytes]()
    if glob.begins:
        where += " AND path >= ?"
        parameters.append(glob.begins)
        if (end := _behind(glob.begins)) is not None:
            where += " AND path < ?"
            parameters.append(end)
    if glob.holds and glob.holds != glob.begins:
        where += " AND instr(path, ?)"
        parameters.append(glob.holds)
    match = glob.pattern.match
    for job_id in wanted:
        for row in database.rows(f"SELECT {FILE_COLUMNS} FROM file WHERE {where} ORDER BY path", (job_id, *parameters)):
            if match(row[0]):
                yield FileRow._make(row)


def _behind(beginning: bytes) -> bytes | None:
    """The first bytes behind all that begin so; None: there are none."""
    cut = beginning.rstrip(b"\xff")
    return cut[:-1] + bytes([cut[-1] + 1]) if cut else None


def versions(database: Database, path: bytes) -> list[FileRow]:
    """What every Job that is not running has of one path, the oldest first; deletions too. A directory ends in a slash."""
    columns = FILE_COLUMNS.replace("type", "file.type").replace("job_id", "job.job_id")
    rows = database.all(
        f"SELECT {columns} FROM job CROSS JOIN file ON file.job_id = job.job_id AND path = ?"
        " WHERE status <> 'R' ORDER BY job.job_id",
        (path,),
    )
    return [FileRow._make(row) for row in rows]


class ChangeKind(StrEnum):
    """As diff(1) marks them."""

    ADDED = "+"
    REMOVED = "-"
    CHANGED = "M"


@dataclass(frozen=True, slots=True)
class Change:
    """One path on which two trees differ. what: of a changed one: type, content, link, size, mode, owner, device, time."""

    kind: ChangeKind
    path: bytes
    before: FileRow | None
    after: FileRow | None
    what: tuple[str, ...] = ()


def diff(before: Iterator[FileRow], after: Iterator[FileRow]) -> Iterator[Change]:
    """What turns one tree into the other; both in the order of paths, as `tree` gives them."""
    old, new = next(before, None), next(after, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old.path < new.path):
            assert old is not None
            yield Change(ChangeKind.REMOVED, old.path, old, None)
            old = next(before, None)
        elif old is None or new.path < old.path:
            yield Change(ChangeKind.ADDED, new.path, None, new)
            new = next(after, None)
        else:
            if old.job_id != new.job_id and (what := _differences(old, new)):
                yield Change(ChangeKind.CHANGED, new.path, old, new, what)
            old, new = next(before, None), next(after, None)


_SIZELESS: Final = frozenset({FileType.DIRECTORY, FileType.SPECIAL, FileType.SYMLINK})


def _differences(old: FileRow, new: FileRow) -> tuple[str, ...]:
    """Names of what differs and would differ on disk after a restore: not the inode, nor when it was read or saved."""
    what = []
    # An empty file, a file and a further name of a file are all files.
    if _kind(old.type) != _kind(new.type):
        what.append("type")
    if old.digest_stream == new.digest_stream and old.digest != new.digest:
        what.append("content")
    if old.link != new.link and old.type == new.type:
        what.append("link")
    try:
        was, now = decode_stat(old.lstat), decode_stat(new.lstat)
    except StreamError:
        return tuple(what) if old.lstat == new.lstat else (*what, "attributes")
    if new.type not in _SIZELESS and was.size != now.size:
        what.append("size")
    if was.mode != now.mode:
        what.append("mode")
    if (was.uid, was.gid) != (now.uid, now.gid):
        what.append("owner")
    if was.rdev != now.rdev:
        what.append("device")
    was_part, now_part = parse_nanoseconds(old.extended), parse_nanoseconds(new.extended)
    finer = was_part is not None and now_part is not None and was_part[1] != now_part[1]
    if was.mtime != now.mtime or finer:
        what.append("time")
    return tuple(what)


def _kind(file_type: int) -> int:
    return FileType.REGULAR if file_type in {FileType.EMPTY, FileType.HARD_LINK} else file_type
