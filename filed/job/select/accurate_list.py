"""The list of what a Director's catalog holds, for an Accurate Job: kept as it came, read where it is needed.

The daemon appends packets to a file unread, each behind its length, as they are on the wire; the job process makes a table of them. So a list of
a million entries delays nobody else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TypeAlias

from filed.catalog import BaseList
from filed.errors import JobError, RemoteProtocolError
from filed.job.select.accurate_entry import parse_entry
from filed.job.select.accurate_table import AccurateTable, BadEntryError, load

_LENGTH = struct.Struct(">I")

Listed: TypeAlias = AccurateTable | BaseList


def append_packet(file: IO[bytes], packet: bytes) -> None:
    file.write(_LENGTH.pack(len(packet)) + packet)


def packets(file: IO[bytes]) -> Iterator[bytes]:
    """What `append_packet` wrote, from where the file stands. Raises RemoteProtocolError when it ends in the middle of one."""
    while head := file.read(_LENGTH.size):
        length = int.from_bytes(head, "big")
        packet = file.read(length)
        if len(head) < _LENGTH.size or len(packet) < length:
            raise RemoteProtocolError("the list ends within an entry", packet)
        yield packet


def base_list(path: Path, work: Path) -> Listed:
    """The list in the file at `path`, on the disk of `work`. Raises JobError when the Director sent nonsense."""
    library = load()
    try:
        return list_in_sqlite(path, work) if library is None else AccurateTable.of_list(library, path, work)
    except BadEntryError as error:
        raise _unusable(_what_is_wrong(path, error.offset)) from None
    except (RemoteProtocolError, OSError) as error:
        raise _unusable(error) from error


def list_in_sqlite(path: Path, work: Path) -> BaseList:
    """The same where the library in C is not there. Raises RemoteProtocolError."""
    rows = BaseList.empty(work)
    try:
        with path.open("rb") as file:
            for packet in packets(file):
                rows.add(*parse_entry(packet))
    except BaseException:
        rows.close()
        raise
    return rows


def _what_is_wrong(path: Path, offset: int) -> RemoteProtocolError:
    """In the words of the parser."""
    with path.open("rb") as file:
        file.seek(offset)
        try:
            parse_entry(next(packets(file)))
        except RemoteProtocolError as error:
            return error
    return RemoteProtocolError(f"an entry of an accurate list was expected at byte {offset}")


def _unusable(error: Exception) -> JobError:
    return JobError(f"the Director's accurate list cannot be used: {error}")
