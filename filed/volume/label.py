"""Labels: the first record of a Volume, and the records around a Job's session.

Integers are big-endian; a text ends with one NUL; a time is microseconds since 1970 in an i64.
Field order is that of the dataclasses below. Source: docs/formats/volume.md, "Labels".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from filed.errors import VolumeError
from filed.volume.record import Buffer

LABEL_ID = "Bacula 1.0 immortal\n"
LABEL_VERSION = 11
OLDEST_VERSION = 9
"""9 and 10 keep times as Julian day and fraction; such a time is read as 0."""
MAX_NAME_BYTES = 127

_VERSION = struct.Struct(">I")
_TIMES = struct.Struct(">qqdd")
_VOLUME_TAIL = struct.Struct(">QIII")
_SESSION_HEAD = struct.Struct(">Iqd")
_SESSION_KIND = struct.Struct(">II")
_END = struct.Struct(">IQIIIIII")
_TEXT_LIMIT = 4096  # no writer makes texts this long; a label is at most one block


@dataclass(frozen=True, slots=True)
class VolumeLabel:
    """`PRE_LABEL` and `VOLUME` data. Names are texts of at most 127 bytes."""

    name: str
    pool: str = "Default"
    media_type: str = "File"
    labelled: int = 0  # microseconds since 1970
    written: int = 0  # microseconds since 1970
    previous: str = ""  # the Volume that a Job came from when it went on here
    pool_type: str = "Backup"
    host: str = ""
    program: str = ""
    program_version: str = ""
    program_date: str = ""
    block_bytes: int = 0  # 0: the default
    version: int = LABEL_VERSION


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """What an end-of-session label adds. Addresses are byte offsets of blocks in this Volume."""

    files: int
    bytes: int
    errors: int
    status: str  # one letter: T, W, E, f, A
    start: int  # block of the start-of-session label
    end: int  # block that holds this label


@dataclass(frozen=True, slots=True)
class SessionLabel:
    """`START_OF_SESSION` and `END_OF_SESSION` data; the latter has an `end`."""

    job_id: int
    job: str  # the unique name, Name.2026-11-23_10.25.18_03
    name: str
    client: str
    file_set: str
    type: str = "B"  # one letter
    level: str = "F"  # one letter
    file_set_digest: str = ""
    pool: str = "Default"
    pool_type: str = "Backup"
    written: int = 0  # microseconds since 1970
    end: SessionEnd | None = None
    version: int = LABEL_VERSION


def pack_volume_label(label: VolumeLabel) -> bytes:
    return b"".join(
        (
            _text(LABEL_ID),
            _VERSION.pack(LABEL_VERSION),
            _TIMES.pack(label.labelled, label.written, 0.0, 0.0),
            *map(_text, (label.name, label.previous, label.pool, label.pool_type, label.media_type)),
            *map(_text, (label.host, label.program, label.program_version, label.program_date, "")),
            _VOLUME_TAIL.pack(0, 0, 0, label.block_bytes),
        )
    )


def parse_volume_label(data: Buffer) -> VolumeLabel:
    """Label data of any block version. Raises VolumeError. Fields after the program's date may be missing (old Volumes)."""
    fields = _Fields(bytes(data), "Volume label")
    fields.text()  # the Id varies with the kind of device
    version = fields.version()
    labelled, written, _, _ = fields.unpack(_TIMES)
    name, previous, pool, pool_type, media_type = (fields.text() for _ in range(5))
    host, program, program_version, program_date = (fields.text() for _ in range(4))
    block_bytes = 0
    if fields.left:
        fields.text()
        block_bytes = fields.unpack(_VOLUME_TAIL)[3]
    if version < LABEL_VERSION:
        labelled = written = 0
    return VolumeLabel(
        name, pool, media_type, labelled, written, previous, pool_type,
        host, program, program_version, program_date, block_bytes, version,
    )  # fmt: skip


def pack_session_label(label: SessionLabel) -> bytes:
    parts = [
        _text(LABEL_ID),
        _VERSION.pack(LABEL_VERSION),
        _SESSION_HEAD.pack(label.job_id, label.written, 0.0),
        *map(_text, (label.pool, label.pool_type, label.name, label.client, label.job, label.file_set)),
        _SESSION_KIND.pack(ord(label.type), ord(label.level)),
        _text(label.file_set_digest),
    ]
    if end := label.end:
        start_file, start_block = divmod(end.start, 1 << 32)
        end_file, end_block = divmod(end.end, 1 << 32)
        addresses = (start_block, end_block, start_file, end_file)
        parts.append(_END.pack(end.files, end.bytes, *addresses, end.errors, ord(end.status)))
    return b"".join(parts)


def parse_session_label(data: Buffer, *, ended: bool) -> SessionLabel:
    """`ended`: the data of an END_OF_SESSION label. Raises VolumeError."""
    fields = _Fields(bytes(data), "session label")
    fields.text()
    version = fields.version()
    job_id, written, _ = fields.unpack(_SESSION_HEAD)
    pool, pool_type, name, client, job, file_set = (fields.text() for _ in range(6))
    type_, level = fields.unpack(_SESSION_KIND)
    digest = fields.text()
    end = None
    if ended:
        files, size, start_block, end_block, start_file, end_file, errors, status = fields.unpack(_END)
        start, stop = start_file << 32 | start_block, end_file << 32 | end_block
        end = SessionEnd(files, size, errors, _letter(status), start, stop)
    if version < LABEL_VERSION:
        written = 0
    return SessionLabel(
        job_id, job, name, client, file_set, _letter(type_), _letter(level), digest, pool, pool_type, written, end, version
    )  # fmt: skip


def check_name(what: str, name: str) -> None:
    """A name that goes into a label. Raises VolumeError when real programs would cut or misread it."""
    if not name.isprintable() or len(name.encode(errors="surrogateescape")) > MAX_NAME_BYTES:
        raise VolumeError(
            f"{what} {name!r} does not fit a label: at most {MAX_NAME_BYTES} bytes, no control characters"
        )


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") + b"\0"


def _letter(code: int) -> str:
    return chr(code) if 0x20 < code < 0x7F else "?"


class _Fields:
    """A cursor over label data; every end is checked."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._at, self._what = data, 0, what

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def text(self) -> str:
        end = self._data.find(b"\0", self._at, self._at + _TEXT_LIMIT)
        if end < 0:
            raise VolumeError(f"the {self._what} has a text without end at byte {self._at}")
        text = self._data[self._at : end].decode("utf-8", "surrogateescape")
        self._at = end + 1
        return text

    def version(self) -> int:
        (version,) = self.unpack(_VERSION)
        if not OLDEST_VERSION <= version <= 100_000:
            raise VolumeError(f"the {self._what} has version {version}; known are {OLDEST_VERSION} and later")
        return int(version)

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        if self.left < layout.size:
            raise VolumeError(f"the {self._what} ends at byte {len(self._data)}, within its fields")
        values = layout.unpack_from(self._data, self._at)
        self._at += layout.size
        return values
