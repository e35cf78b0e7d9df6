"""A Director's accurate list as a table on the disk, sorted by path, made and asked by `native_host/accurate_list`.

What `BaseList` does for it in SQLite, in a tenth of the time. Memory is bounded whatever its length: the first path of each 16 KiB, and a bit
for each entry. The files have no name: nothing is left behind, however the process ends. Without the library `load` gives None.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Any, Final, Self

from filed.agents import Page
from filed.catalog import UNKNOWN_PLUGIN, BaseRow, is_at_or_below
from filed.errors import CatalogError
from filed.job.select.accurate_entry import digest_record
from filed.process.native import DIRECTORY, native_library

RUN_BYTES: Final = 16 << 20  # of entries that are sorted in memory; a list of 100,000 is one run
TEMPORARY_PREFIX: Final = ".filed-base-"
BAD_ENTRY: Final = 1
LETTERS: Final = {letter: 1 << place for place, letter in enumerate("mcsdipnuga")}
DIGEST: Final = 1 << 10

_ANSWER: Final = Struct("=qQIII4x")
_HANDLE: Final = ctypes.c_void_p
_BYTES_OUT: Final = ctypes.POINTER(ctypes.c_void_p)
_CALLS: Final[dict[str, tuple[type | None, tuple[Any, ...]]]] = {
    "accurate_build": (
        ctypes.c_int,
        (ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_uint64, _BYTES_OUT, ctypes.POINTER(ctypes.c_uint64)),
    ),
    "accurate_free": (None, (_HANDLE,)),
    "accurate_count": (ctypes.c_uint64, (_HANDLE,)),
    "accurate_lookup": (
        ctypes.c_int,
        (_HANDLE, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint32, _BYTES_OUT, _BYTES_OUT),
    ),
    "accurate_lower": (
        ctypes.c_int,
        (_HANDLE, ctypes.c_char_p, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)),
    ),
    "accurate_next": (ctypes.c_int, (_HANDLE, ctypes.c_uint64, ctypes.c_uint32, _BYTES_OUT, _BYTES_OUT)),
    "accurate_mark": (None, (_HANDLE, ctypes.c_uint64, ctypes.c_uint32)),
    "accurate_sift": (
        ctypes.c_int,
        (
            *(_HANDLE, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint32),
            *(ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_char_p),
        ),
    ),
}


class BadEntryError(Exception):
    """What stands at `offset` of the list file is no entry."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def load(directory: Path = DIRECTORY) -> ctypes.CDLL | None:
    """The library; None on a machine where it was not built."""
    loaded = native_library("accurate_list", directory)
    if loaded is None:
        return None
    for name, (result, arguments) in _CALLS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


class AccurateTable:
    """Entries by path. As a `BaseList` for those who ask; made by `of_list`; close it."""

    def __init__(self, library: ctypes.CDLL, handle: int, directory: Path, files: ExitStack) -> None:
        self._library, self._handle, self._directory, self._files = library, handle, directory, files
        self._answers, self._bytes = ctypes.c_void_p(), ctypes.c_void_p()
        self._number = ctypes.c_uint64()

    @classmethod
    def of_list(cls, library: ctypes.CDLL, path: Path, directory: Path, run_bytes: int = RUN_BYTES) -> Self:
        """The list in the file at `path`; the table is kept on the disk of `directory`. Raises BadEntryError, OSError."""
        with ExitStack() as stack:
            handle, bad_at = ctypes.c_void_p(), ctypes.c_uint64()
            with path.open("rb") as file, tempfile.TemporaryFile(prefix=TEMPORARY_PREFIX, dir=directory) as scratch:
                table = stack.enter_context(tempfile.TemporaryFile(prefix=TEMPORARY_PREFIX, dir=directory))
                result = library.accurate_build(
                    *(file.fileno(), table.fileno(), scratch.fileno(), run_bytes),
                    *(ctypes.byref(handle), ctypes.byref(bad_at)),
                )
            if result == BAD_ENTRY:
                raise BadEntryError(bad_at.value)
            if result:
                raise OSError(-result, os.strerror(-result))
            assert handle.value is not None
            return cls(library, handle.value, directory, stack.pop_all())

    def __len__(self) -> int:
        return int(self._library.accurate_count(self._open))

    def lookup(self, paths: Sequence[bytes]) -> list[BaseRow | None]:
        """The entry of each path, in their order."""
        lengths = Struct(f"={len(paths)}I").pack(*map(len, paths))
        out = ctypes.byref(self._answers), ctypes.byref(self._bytes)
        size = self._done(self._library.accurate_lookup(self._open, b"".join(paths), lengths, len(paths), *out))
        if not size:
            return [None] * len(paths)
        data = ctypes.string_at(self._bytes, size)
        answers = ctypes.string_at(self._answers, len(paths) * _ANSWER.size)
        return [None if answer[0] < 0 else _row(data, *answer) for answer in _ANSWER.iter_unpack(answers)]

    def sift(self, page: Page, letters: int, candidates: bytes | None) -> bytes | None:
        """Of a page of a walk: one byte for each entry, 1 where it is as the list has it by these letters, and is seen. None: none is.

        candidates: likewise, those that the letters are for; None: all.
        """
        count = len(page)
        found = ctypes.create_string_buffer(count)
        unchanged = self._done(
            self._library.accurate_sift(
                *(self._open, page.records, count, page.stride, page.heap, len(page.heap), page.low),
                *(letters, candidates, found),
            )
        )
        return found.raw if unchanged else None

    def mark_seen(self, number: int) -> None:
        """The walk has met this entry: it was not deleted."""
        self._library.accurate_mark(self._open, number, 1)

    def unmark(self, number: int) -> None:
        """Take a `mark_seen` back."""
        self._library.accurate_mark(self._open, number, 0)

    def seen(self) -> Iterator[BaseRow]:
        """Entries that are marked, in the order of paths."""
        return self._from(0, seen=True)

    def unseen(self, failed: Iterable[bytes] = ()) -> Iterator[BaseRow]:
        """Entries the walk did not meet, in the order of paths. failed: as of `BaseList.unseen`."""
        unread = {path.rstrip(b"/") or b"/" for path in failed}
        for row in self._from(0, seen=False):
            if not (unread and is_at_or_below(row.path, unread)):
                yield row

    def below(self, path: bytes) -> Iterator[BaseRow]:
        """Entries below a directory that the walk did not meet, in the order of paths. path: ends in a slash."""
        self._done(self._library.accurate_lower(self._open, path, len(path), ctypes.byref(self._number)))
        for row in self._from(self._number.value, seen=False):
            if not row.path.startswith(path):
                return
            if row.path != path:
                yield row

    def _from(self, number: int, *, seen: bool) -> Iterator[BaseRow]:
        out = ctypes.byref(self._answers), ctypes.byref(self._bytes)
        while self._done(self._library.accurate_next(self._open, number, seen, *out)):
            answer = _ANSWER.unpack(ctypes.string_at(self._answers, _ANSWER.size))
            row = _row(ctypes.string_at(self._bytes, sum(answer[2:])), *answer)
            number = row.number + 1
            yield row

    def command(self, row: BaseRow) -> bytes | None:  # noqa: ARG002  the signature of BaseList
        """A Director does not say whose entry it is."""
        return None

    @property
    def _open(self) -> int:
        if not self._handle:
            raise CatalogError(f"the accurate list in {self._directory} was closed")
        return self._handle

    def _done(self, result: int) -> int:
        if result < 0:
            raise CatalogError(f"cannot read the accurate list in {self._directory}: {os.strerror(-result)}")
        return result

    def close(self) -> None:
        handle, self._handle = self._handle, 0
        self._library.accurate_free(handle)
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _row(data: bytes, number: int, at: int, path_len: int, stat_len: int, digest_len: int) -> BaseRow:  # noqa: PLR0917  as it is packed
    stat = at + path_len
    digest = stat + stat_len
    record = digest_record(data[digest : digest + digest_len])
    return BaseRow(number, data[at:stat], 0, 0, 0, data[stat:digest], b"", record, b"", UNKNOWN_PLUGIN)
