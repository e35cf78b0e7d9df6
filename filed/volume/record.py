"""Records: what a Volume holds, once blocks are taken apart.

    0  i32  FileIndex   > 0: one saved entry, counted from 1 in each Job; < 0: a label
    4  i32  Stream      what the bytes are; negated in the header of a continued part
    8  u32  data_len    bytes of the record from here on, in this block and the following ones
   12       data

All integers are big-endian. Source: docs/formats/volume.md.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple, TypeAlias

RECORD_HEADER = struct.Struct(">iiI")
RECORD_HEADER_BYTES = RECORD_HEADER.size
MAX_RECORD_BYTES = 20_000_000
"""A record is shorter than this; real readers refuse more, and so it bounds our memory."""


Buffer: TypeAlias = bytes | bytearray | memoryview
"""What a writer takes: contiguous bytes; a memoryview is of format B."""


class Session(NamedTuple):
    """Which Job's run wrote a record; the pair is unique in all Volumes of a Pool."""

    vol_session_id: int
    vol_session_time: int  # seconds since 1970


class Record(NamedTuple):
    """One reassembled record.

    data: bytes of its own when short, else a view that stays valid as long as it is kept (but keeps up to a megabyte alive).
    A NamedTuple, not a dataclass: a million of them are made in a restore, and this costs a third.
    """

    session: Session
    file_index: int
    stream: int  # the whole 32-bit word, flags included; the JobId in a session label
    data: bytes | memoryview


class Run(NamedTuple):
    """Whole records of one session, one behind the other as on a Volume: data[begin:end]. None is a label or a continued part."""

    session: Session
    data: bytes
    begin: int
    end: int


class LabelType(IntEnum):
    """FileIndex of records that are no user data."""

    PRE_LABEL = -1  # a labelled Volume, never written
    VOLUME = -2
    END_OF_MEDIUM = -3  # legacy: no writer of today makes it
    START_OF_SESSION = -4
    END_OF_SESSION = -5
