"""A Job's records on their way into the catalog.

The same class is fed by a running backup and by a rebuild from the Volumes, so both give the same rows. Rows wait in
memory for about a thousand companions, then go in one short transaction: no disk is synced for a file, and another Job
gets its turn.

The usual row has seven columns; binding one more costs a quarter of a microsecond, so links and entries of plugins go
their own way. Measured: 5.5 us of CPU for an attributes record, its digest and its share of the transaction.
"""

from __future__ import annotations

from typing import Any, Final

from filed.catalog.database import Database
from filed.errors import CatalogError, StreamError
from filed.wire.attributes import METADATA_MARK, FileType, parse_attributes
from filed.wire.metadata_digest import METADATA_STREAMS, MetadataDigest
from filed.wire.plugin_name import parse_plugin_name
from filed.wire.restore_object import parse_restore_object
from filed.wire.stream import DIGEST_BYTES, Stream

BATCH_BYTES: Final = 256 << 10
"""About a thousand rows. Bytes, since paths and links of a hostile Volume may be megabytes."""

MAX_PLUGIN_COMMANDS: Final = 1024
"""Remembered ones. bpipe-like plugins have a command for each item."""

_TYPE_MASK: Final = 0x7FF
_ATTRIBUTES: Final = int(Stream.UNIX_ATTRIBUTES)
_ATTRIBUTE_UPDATE: Final = int(Stream.UNIX_ATTRIBUTE_UPDATE)
_BEGINNINGS: Final = frozenset({_ATTRIBUTES, int(Stream.UNIX_ATTRIBUTES_EX), _ATTRIBUTE_UPDATE})
_WITH_CONTENT: Final = frozenset({int(FileType.EMPTY), int(FileType.REGULAR)})
_PLUGIN_NAME: Final = int(Stream.PLUGIN_NAME)
_RESTORE_OBJECT: Final = int(Stream.RESTORE_OBJECT)
_DELETED: Final = int(FileType.DELETED)
_DIGEST_MARKS: Final = {stream: bytes([stream]) for stream in DIGEST_BYTES}
_TYPES: Final = {b"%d" % number: number for number in range(32)}
_FIXED_BYTES: Final = 64  # of a row beside its path, lstat and the like
_EXTENDED: Final = 4  # their places in a row
_DIGEST: Final = 5

INCOMPLETE: Final = b"incomplete"
"""In place of nanoseconds: the Volume holds less of the file than there was. Only the catalog knows; a rebuild forgets it."""

METADATA_ONLY: Final = b"metadata only"
"""In place of nanoseconds: what bacula-fd 15 stores of a file whose content is as before. An earlier Job of the chain has that."""

_UPSERT = """
INSERT INTO file (job_id, path, file_index, type, lstat, extended, digest{more}) VALUES ({job_id}, ?, ?, ?, ?, ?, ?{marks})
ON CONFLICT (job_id, path) DO UPDATE SET file_index = excluded.file_index, type = excluded.type,
    lstat = excluded.lstat, extended = excluded.extended, digest = excluded.digest, link = excluded.link,
    plugin_id = excluded.plugin_id
WHERE excluded.file_index >= file.file_index AND excluded.extended != CAST('metadata only' AS BLOB)
"""  # A path saved twice in a Job counts as it was saved last, in whatever order rows come; new attributes alone hide no content.

_INSERT_OBJECT = """
INSERT OR REPLACE INTO restore_object (job_id, file_index, type, object_index, command, name, content)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


class RecordFeed:
    """Takes every record of one Job, in their order; keeps what belongs into the catalog.

    files, deleted: entries met so far. Nothing is in the catalog before `flush`.
    """

    __slots__ = (
        "_bytes",
        "_commands",
        "_database",
        "_insert",
        "_insert_more",
        "_job_id",
        "_last",
        "_last_index",
        "_metadata",
        "_metadata_row",
        "_more",
        "_objects",
        "_plugin_id",
        "_rows",
        "deleted",
        "files",
    )

    def __init__(self, database: Database, job_id: int) -> None:
        number = int(job_id)  # goes into the text of a statement
        self._database = database
        self._job_id = number
        self._insert = _UPSERT.format(job_id=number, more="", marks="")
        self._insert_more = _UPSERT.format(job_id=number, more=", link, plugin_id", marks=", ?, ?")
        self._rows: list[list[Any]] = []
        self._more: list[list[Any]] = []
        self._objects: list[tuple[Any, ...]] = []
        self._bytes = 0
        self._last: list[Any] | None = None
        self._last_index = 0
        self._metadata = MetadataDigest()
        self._metadata_row: list[Any] | None = None
        self._plugin_id = 0
        self._commands: dict[bytes, int] = {}
        self.files = 0
        self.deleted = 0

    def record(self, file_index: int, stream: int, data: bytes | bytearray | memoryview) -> None:
        """Any record; content and the like is let pass.

        Raises StreamError when the record is not what its stream says, CatalogError when the catalog fails.
        """
        kind = stream & _TYPE_MASK
        if kind in _BEGINNINGS:
            if self._bytes >= BATCH_BYTES:
                self.flush()
            try:
                head, lstat, link, extended = bytes(data).split(b"\0", 4)[:4]
                _, digits, path = head.split(b" ", 2)
                file_type = _TYPES[digits]
            except (ValueError, KeyError):
                # Old or broken: the full parser knows which.
                _, file_type, path, lstat, link, extended, _ = parse_attributes(data)
            if not path:
                raise StreamError("an attributes record without a path", kind, file_index)
            self._last = row = [path, file_index, file_type, lstat, extended + METADATA_MARK, b""]
            if kind == _ATTRIBUTE_UPDATE and file_type in _WITH_CONTENT:
                row[_EXTENDED] = METADATA_ONLY
                self._last = None  # the digest behind it may be that of another file
            self._last_index = file_index
            self._bytes += len(data) + _FIXED_BYTES
            if file_type == _DELETED:
                self.deleted += 1
            else:
                self.files += 1
            if link or self._plugin_id:
                row += (link, self._plugin_id)
                self._more.append(row)
            else:
                self._rows.append(row)
        elif (mark := _DIGEST_MARKS.get(kind)) is not None:
            if file_index == self._last_index and self._last is not None:
                if len(data) != DIGEST_BYTES[kind]:
                    raise StreamError(f"a digest of {len(data)} bytes", kind, file_index)
                self._last[_DIGEST] = mark + data
        elif kind in METADATA_STREAMS:
            self._metadata_of(file_index, kind, data)
        elif kind == _PLUGIN_NAME:
            name = parse_plugin_name(data)
            self._plugin_id = self._id_of(name.command) if name.start else 0
        elif kind == _RESTORE_OBJECT:
            self._object(file_index, data)

    def incomplete(self, file_index: int) -> None:
        """The entry given last was not saved whole: no later Job may take it for unchanged."""
        if self._last is not None and self._last_index == file_index:
            self._last[_EXTENDED] = INCOMPLETE

    def _metadata_of(self, file_index: int, kind: int, data: bytes | bytearray | memoryview) -> None:
        row = self._last
        if row is None or file_index != self._last_index or row[_EXTENDED] == INCOMPLETE:
            return
        if self._metadata_row is not row:
            self._metadata_row, self._metadata = row, MetadataDigest()
        self._metadata.add(kind, data)
        row[_EXTENDED] = row[_EXTENDED].rpartition(METADATA_MARK)[0] + METADATA_MARK + self._metadata.digest

    def flush(self) -> None:
        """Everything taken so far goes into the catalog, in one transaction that does not wait for the disk."""
        if not (self._rows or self._more or self._objects):
            return
        with self._database.transaction() as connection:
            # Should another process have taken this one for dead and swept its rows, half a Job must not reappear.
            running = connection.execute("SELECT status = 'R' FROM job WHERE job_id = ?", (self._job_id,)).fetchone()
            if running != (1,):
                raise CatalogError(f"JobId {self._job_id} was ended by another process; run the Job again")
            connection.executemany(self._insert, self._rows)
            connection.executemany(self._insert_more, self._more)
            connection.executemany(_INSERT_OBJECT, self._objects)
        self._rows.clear()
        self._more.clear()
        self._objects.clear()
        self._bytes = 0
        self._last = None

    def _object(self, file_index: int, data: bytes | bytearray | memoryview) -> None:
        item = parse_restore_object(data)
        self._objects.append((self._job_id, file_index, item.type, item.index, item.command, item.name, item.content))
        self._bytes += len(item.content) + _FIXED_BYTES
        if self._bytes >= BATCH_BYTES:  # some kilobytes of a record may be 64 MB of content
            self.flush()

    def _id_of(self, command: bytes) -> int:
        known = self._commands.get(command)
        if known is not None:
            return known
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO plugin (command) VALUES (?) ON CONFLICT DO NOTHING", (command,))
            row = connection.execute("SELECT plugin_id FROM plugin WHERE command = ?", (command,)).fetchone()
        if len(self._commands) >= MAX_PLUGIN_COMMANDS:
            self._commands.clear()
        number: int = row[0]
        self._commands[command] = number
        return number
