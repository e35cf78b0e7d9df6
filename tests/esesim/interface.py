"""`native_agents/exchange/esebcli2.h` as Python sees it: a client of the interface that does exactly what a test says.

Text is passed as UTF-16 with a NUL; a refusal is an EseError with the HRESULT.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

ANNOTATION = "Microsoft Information Store"
READ_MOST = 61440


class Backup(IntEnum):
    """Types of a session."""

    FULL = 1
    LOGS_ONLY = 2
    FULL_WITH_ALL_LOGS = 3


class Ese(IntEnum):
    """HRESULTs that tests name."""

    LOG_FILE_CORRUPT = 0xC80001F5
    BACKUP_IN_PROGRESS = 0xC80001F9
    NO_BACKUP = 0xC8000208
    INVALID_BACKUP_SEQUENCE = 0xC8000209
    LOGGING_DISABLED = 0xC800020E
    DIRTY_SHUTDOWN = 0xC8000226
    GIVEN_LOG_BAD_SIGNATURE = 0xC800022B
    GIVEN_LOG_NOT_CONTIGUOUS = 0xC800022C
    GIVEN_LOG_MISSING = 0xC800022D
    MISSING_FULL_BACKUP = 0xC8000230
    MISSING_FILE_TO_BACKUP = 0xC8000239
    EXISTING_LOG_BAD_SIGNATURE = 0xC8000262
    EXISTING_LOG_NOT_CONTIGUOUS = 0xC8000263
    LOG_SEQUENCE_NOT_READ = 0xC8000268
    INVALID_PARAMETER = 0xC80003EB
    READ_VERIFY_FAILURE = 0xC80003FA
    DISK_IO = 0xC80003FE
    FILE_NOT_FOUND = 0xC8000713
    AT_FILE_LEVEL = 0xC7FF0FA5
    DATABASE_IN_USE = 0xC7FE1F41
    DATABASE_NOT_FOUND = 0xC7FE1F42


class EseError(Exception):
    """A call that was refused."""

    def __init__(self, call: str, result: int) -> None:
        self.code = result & 0xFFFFFFFF
        super().__init__(f"{call}: 0x{self.code:08X}")


class Guid(ctypes.Structure):
    _fields_ = (
        ("data1", ctypes.c_uint32),
        ("data2", ctypes.c_uint16),
        ("data3", ctypes.c_uint16),
        ("data4", ctypes.c_uint8 * 8),
    )


class _DatabaseInfo(ctypes.Structure):
    _fields_ = (
        ("display_name", ctypes.c_void_p),
        ("streams_length", ctypes.c_uint32),
        ("streams", ctypes.c_void_p),
        ("guid", Guid),
        ("icon_index", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
    )


class _InstanceInfo(ctypes.Structure):
    _fields_ = (
        ("id", ctypes.c_int64),
        ("name", ctypes.c_void_p),
        ("icon_index", ctypes.c_uint32),
        ("database_count", ctypes.c_uint32),
        ("databases", ctypes.POINTER(_DatabaseInfo)),
        ("icon_count", ctypes.c_uint32),
        ("icons", ctypes.c_void_p),
    )


class _Environment(ctypes.Structure):
    _fields_ = (
        ("restore_log_path", ctypes.c_void_p),
        ("source_instance", ctypes.c_void_p),
        ("database_count", ctypes.c_uint32),
        ("database_names", ctypes.POINTER(ctypes.c_void_p)),
        ("database_guids", ctypes.POINTER(Guid)),
        ("system_path", ctypes.c_void_p),
        ("log_path", ctypes.c_void_p),
        ("target_instance", ctypes.c_void_p),
        ("source_streams", ctypes.POINTER(ctypes.c_void_p)),
        ("destination_streams", ctypes.POINTER(ctypes.c_void_p)),
        ("gen_low", ctypes.c_uint32),
        ("gen_high", ctypes.c_uint32),
        ("log_base_name", ctypes.c_void_p),
        ("last_restore_time", ctypes.c_int64),
        ("recover_status", ctypes.c_int32),
        ("recover_result", ctypes.c_int32),
        ("recover_time", ctypes.c_int64),
        ("annotation", ctypes.c_void_p),
    )


@dataclass(frozen=True, slots=True)
class Database:
    """One database as Prepare tells of it. streams: the units verbatim, all of `streams_length`."""

    name: str
    guid: bytes
    streams: str
    mounted: bool

    @property
    def paths(self) -> list[str]:
        return self.streams[: self.streams.index("\0\0")].split("\0")


@dataclass(frozen=True, slots=True)
class Instance:
    """A storage group."""

    id: int
    name: str
    databases: list[Database]


@dataclass(frozen=True, slots=True)
class Environment:
    """What restore.env says."""

    log_path: str
    source: str
    databases: list[str]
    gen_low: int
    gen_high: int
    log_base: str
    annotation: str
    sources: list[str]
    destinations: list[str]


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


def _text(address: int | None) -> str:
    if not address:
        return ""
    units = bytearray()
    while (unit := ctypes.string_at(address + len(units), 2)) != b"\0\0":
        units += unit
    return units.decode("utf-16-le")


def _strings(address: int) -> list[str]:
    """A multi-string."""
    found = []
    while text := _text(address):
        found.append(text)
        address += len(utf16(text))
    return found


def guid_of(raw: bytes) -> Guid:
    return Guid.from_buffer_copy(raw)


class Interface:
    """The library's calls. `free` False leaves what Prepare and the log list gave, for the account to find."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def call(self, name: str, *arguments: Any) -> int:
        """Raises EseError for a negative answer."""
        function = getattr(self._library, name)
        function.restype = ctypes.c_int32
        result: int = function(*arguments)
        if result < 0:
            raise EseError(name, result)
        return result

    def free(self, name: str, *arguments: Any) -> None:
        function = getattr(self._library, name)
        function.restype = None
        function(*arguments)

    def prepare(self, server: str = "", annotation: str = ANNOTATION) -> tuple[BackupSession, list[Instance]]:
        count, array, context = ctypes.c_uint32(), ctypes.POINTER(_InstanceInfo)(), ctypes.c_void_p()
        self.call(
            "HrESEBackupPrepare",
            utf16(server),
            utf16(annotation),
            ctypes.byref(count),
            ctypes.byref(array),
            ctypes.byref(context),
        )
        instances = [self._instance(array[n]) for n in range(count.value)]
        self.free("ESEBackupFreeInstanceInfo", count, array)
        return BackupSession(self, context), instances

    @staticmethod
    def _instance(info: _InstanceInfo) -> Instance:
        databases = [
            Database(
                name=_text(one.display_name),
                guid=bytes(one.guid),
                streams=ctypes.string_at(one.streams, 2 * one.streams_length).decode("utf-16-le"),
                mounted=bool(one.flags & 0x10),
            )
            for one in info.databases[: info.database_count]
        ]
        return Instance(info.id, _text(info.name), databases)

    def strings(self, name: str, context: ctypes.c_void_p, *arguments: Any) -> list[str]:
        """A call whose last argument gives a multi-string."""
        given = ctypes.c_void_p()
        self.call(name, context, *arguments, ctypes.byref(given))
        assert given.value is not None
        found = _strings(given.value)
        self.free("ESEBackupFree", given)
        return found

    def restore(self, source: str, log_path: str | None = None, annotation: str = ANNOTATION) -> RestoreSession:
        context = ctypes.c_void_p()
        path = None if log_path is None else utf16(log_path)
        self.call("HrESERestoreOpen", None, utf16(annotation), utf16(source), path, ctypes.byref(context))
        return RestoreSession(self, context)

    def reopen(self, log_path: str, annotation: str = ANNOTATION) -> RestoreSession:
        context = ctypes.c_void_p()
        self.call("HrESERestoreReopen", None, utf16(annotation), utf16(log_path), ctypes.byref(context))
        return RestoreSession(self, context)

    def load_environment(self, log_path: str) -> Environment:
        return self.environment("HrESERestoreLoadEnvironment", None, utf16(log_path))

    def environment(self, name: str, *arguments: Any) -> Environment:
        given = ctypes.POINTER(_Environment)()
        self.call(name, *arguments, ctypes.byref(given))
        read = given.contents
        count = read.database_count
        found = Environment(
            log_path=_text(read.restore_log_path),
            source=_text(read.source_instance),
            databases=[_text(name) for name in read.database_names[:count]],
            gen_low=read.gen_low,
            gen_high=read.gen_high,
            log_base=_text(read.log_base_name),
            annotation=_text(read.annotation),
            sources=[path for one in read.source_streams[:count] for path in _strings(one or 0)],
            destinations=[path for one in read.destination_streams[:count] for path in _strings(one or 0)],
        )
        self.free("ESERestoreFreeEnvironment", given)
        return found


class BackupSession:
    """One backup context."""

    def __init__(self, interface: Interface, context: ctypes.c_void_p) -> None:
        self._interface, self.context = interface, context

    def setup(self, instance: Instance, kind: Backup) -> None:
        self._interface.call("HrESEBackupSetup", self.context, ctypes.c_int64(instance.id), ctypes.c_uint32(kind))

    def open(self, name: str) -> tuple[ctypes.c_void_p, int]:
        """Its handle and size."""
        handle, size = ctypes.c_void_p(), ctypes.c_int64()
        self._interface.call(
            "HrESEBackupOpenFile",
            self.context,
            utf16(name),
            ctypes.c_uint32(READ_MOST),
            ctypes.c_uint32(1),
            ctypes.byref(handle),
            ctypes.byref(size),
        )
        return handle, size.value

    def read(self, handle: ctypes.c_void_p, size: int = READ_MOST) -> bytes:
        """b"" is the end."""
        buffer, got = ctypes.create_string_buffer(size), ctypes.c_uint32()
        self._interface.call(
            "HrESEBackupReadFile", self.context, handle, buffer, ctypes.c_uint32(size), ctypes.byref(got)
        )
        return buffer.raw[: got.value]

    def close(self, handle: ctypes.c_void_p) -> None:
        self._interface.call("HrESEBackupCloseFile", self.context, handle)

    def pieces(self, name: str, size: int = READ_MOST) -> Iterator[bytes]:
        handle, _ = self.open(name)
        while piece := self.read(handle, size):
            yield piece
        self.close(handle)

    def read_file(self, name: str, size: int = READ_MOST) -> bytes:
        return b"".join(self.pieces(name, size))

    def read_database(self, database: Database) -> dict[str, bytes]:
        return {path: self.read_file(path) for path in database.paths}

    def logs(self) -> list[str]:
        return self._interface.strings("HrESEBackupGetLogAndPatchFiles", self.context)

    def would_truncate(self) -> list[str]:
        return self._interface.strings("HrESEBackupGetTruncateLogFiles", self.context)

    def truncate(self) -> None:
        self._interface.call("HrESEBackupTruncateLogs", self.context)

    def end_instance(self, *, success: bool) -> None:
        self._interface.call("HrESEBackupInstanceEnd", self.context, ctypes.c_uint32(success))

    def end(self) -> None:
        self._interface.call("HrESEBackupEnd", self.context)


class RestoreSession:
    """One restore context."""

    def __init__(self, interface: Interface, context: ctypes.c_void_p) -> None:
        self._interface, self.context = interface, context

    @property
    def environment(self) -> Environment:
        return self._interface.environment("HrESERestoreGetEnvironment", self.context)

    def add_database(self, database: Database) -> list[str]:
        """Where its streams go."""
        return self._interface.strings(
            "HrESERestoreAddDatabase",
            self.context,
            utf16(database.name),
            guid_of(database.guid),
            database.streams.encode("utf-16-le"),
        )

    def add_database_at(self, database: Database, *destinations: Path) -> None:
        self._interface.call(
            "HrESERestoreAddDatabaseNS",
            self.context,
            utf16(database.name),
            guid_of(database.guid),
            database.streams.encode("utf-16-le"),
            b"".join(utf16(str(path)) for path in destinations) + b"\0\0",
        )

    def open_file(self, name: str) -> int:
        """The answer's code: AT_FILE_LEVEL, or 0."""
        handle = ctypes.c_void_p()
        try:
            return self._interface.call(
                "HrESERestoreOpenFile", self.context, utf16(name), ctypes.c_uint32(1), ctypes.byref(handle)
            )
        except EseError as error:
            if error.code != Ese.AT_FILE_LEVEL:
                raise
            return error.code

    def save(self) -> None:
        self._interface.call("HrESERestoreSaveEnvironment", self.context)

    def complete(self, target: str | None = None, *, keep_logs: bool = False) -> None:
        flags = 0x1 | (0x20000 if keep_logs else 0)  # attach the databases; keep the restored logs
        name = None if target is None else utf16(target)
        self._interface.call("HrESERestoreComplete", self.context, None, None, name, ctypes.c_uint32(flags))

    def close(self, *, abort: bool = False) -> None:
        self._interface.call("HrESERestoreClose", self.context, ctypes.c_uint32(abort))
