"""`abi/bplugin.h` as Python sees it: every number, every struct, every function type. No behaviour.

The header is the source and the manual; `tests/agents/test_abi.py` compares this mirror with what the compiler makes of
it. Names are the header's without their `BP_`, structs keep it (`bp_entry` is `BpEntry`). Pointers are declared as
integers (`c_void_p`) on purpose: the host passes addresses and never lets ctypes convert for it.
"""

from __future__ import annotations

import ctypes
import struct
from ctypes import c_char, c_char_p, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from enum import IntEnum, IntFlag
from typing import NamedTuple

QUERY_SYMBOL = "bplugin_query_v1"
MAGIC = b"BPLUGIN\0"
SIZE_UNKNOWN = 0xFFFF_FFFF_FFFF_FFFF
MAX_STATE_BYTES = 512 << 10  # as a restore object it must fit a network packet of 1 000 000 bytes
MIN_READ_BYTES = 64 << 10  # the smallest buffer `read` may be given


def version(major: int, minor: int) -> int:
    return major << 16 | minor


def version_text(number: int) -> str:
    return f"{number >> 16}.{number & 0xFFFF}"


HOST_MIN = version(1, 0)
HOST_MAX = version(1, 0)


class Status(IntEnum):
    OK = 0
    END = 1
    # this entry or stream
    E_ENTRY = -1
    E_NOTFOUND = -2
    E_ACCESS = -3
    E_CHANGED = -4
    E_IO = -5
    # the Job
    E_FAIL = -20
    E_NOMEM = -21
    E_NOSPACE = -22
    E_CORRUPT = -23
    E_CANCELLED = -24
    # the call
    E_BASE = -40
    E_BUSY = -41
    E_VERSION = -42
    E_UNSUPPORTED = -43
    E_INVAL = -44
    E_SEQUENCE = -45
    E_TOO_BIG = -46
    # the host
    E_HOST = -60
    E_VIOLATION = -61


ENTRY_SCOPE = frozenset({Status.E_ENTRY, Status.E_NOTFOUND, Status.E_ACCESS, Status.E_CHANGED, Status.E_IO})


class Kind(IntEnum):
    BACKUP = 1
    RESTORE = 2
    ESTIMATE = 3
    VERIFY = 4


class Level(IntEnum):
    NONE = 0
    FULL = 1
    DIFFERENTIAL = 2
    INCREMENTAL = 3


class StateWhy(IntEnum):
    NONE = 0
    FOUND = 1
    FIRST = 2
    LOST = 3
    RESTORED = 4
    FILESET_CHANGED = 5
    UNNAMED = 6
    GAP = 7


class BeginFlag(IntFlag):
    ACCURATE = 1


class Outcome(IntEnum):
    DONE = 0
    FAILED = 1
    CANCELLED = 2


class Verdict(IntEnum):
    NONE = 0
    TAKE = 1
    SKIP = 2
    DESCEND = 3
    PRUNE = 4


class Severity(IntEnum):
    DEBUG = 1
    INFO = 2
    WARNING = 3
    ERROR = 4


class OsDomain(IntEnum):
    NONE = 0
    ERRNO = 1
    WIN32 = 2
    HRESULT = 3
    AGENT = 4


class EntryType(IntEnum):
    REGULAR = 1
    DIRECTORY = 2
    SYMLINK = 3
    HARDLINK = 4
    FIFO = 5
    CHARDEV = 6
    BLOCKDEV = 7
    OBJECT = 8


class Change(IntEnum):
    NONE = 0
    DELETED = 1
    RENAMED = 2


class EntryFlag(IntFlag):
    SELECTED = 1
    REREAD = 2
    FAILED = 4
    TOP = 8


class Has(IntFlag):
    MODE = 1 << 0
    OWNER = 1 << 1
    SIZE = 1 << 2
    BLOCKS = 1 << 3
    INO = 1 << 4
    NLINK = 1 << 5
    RDEV = 1 << 6
    ATIME = 1 << 7
    MTIME = 1 << 8
    CHTIME = 1 << 9
    BTIME = 1 << 10
    ATTRS = 1 << 11
    FSTYPE = 1 << 12


class Attr(IntFlag):
    NODUMP = 1


class AgentStream(IntEnum):
    """What an entry is made of, by number; a mask has the bit `1 << number`. Not the wire's stream numbers."""

    DATA = 0
    ACL_ACCESS = 1
    ACL_DEFAULT = 2
    XATTR = 3
    OBJECT = 4

    @property
    def bit(self) -> int:
        return 1 << self


STREAM_MASK = 0b11111


class WantOption(IntFlag):
    NOATIME = 1 << 0
    KEEPATIME = 1 << 1
    READFIFO = 1 << 2
    CHECK_CHANGES = 1 << 3
    SPARSE = 1 << 4


BATCH_COMPLETE = 1
CHUNK_LAST = 1


class Replace(IntEnum):
    ALWAYS = 1
    IFNEWER = 2
    IFOLDER = 3
    NEVER = 4


class Action(IntEnum):
    NONE = 0
    SKIP = 1
    CREATED = 2
    WANT = 3
    HOST = 4


class Feature(IntFlag):
    PLAIN_FILES = 1 << 0
    VERBATIM = 1 << 1


HOST_FEATURES = 0  # bp_host_api.features and what `needs` may ask for: none defined in 1.0


class OptionType(IntEnum):
    STRING = 1
    BOOL = 2
    INT = 3
    SIZE = 4
    DURATION = 5
    PATH = 6
    ENUM = 7


class OptionFlag(IntFlag):
    REQUIRED = 1
    SECRET = 2
    REPEATS = 4
    FROM_DIRECTOR = 8


class Entry(NamedTuple):
    """`bp_entry`, field by field; the offsets count from the start of the page it stands in. Times: seconds, then ns."""

    name_off: int = 0
    name_len: int = 0
    link_off: int = 0
    link_len: int = 0
    old_name_off: int = 0
    old_name_len: int = 0
    inline_off: int = 0
    inline_len: int = 0
    tlv_off: int = 0
    tlv_len: int = 0
    cookie: int = 0
    streams: int = 0
    valid: int = 0
    size: int = 0
    blocks: int = 0
    ino: int = 0
    dev: int = 0
    rdev: int = 0
    atime: int = 0
    atime_ns: int = 0
    mtime: int = 0
    mtime_ns: int = 0
    chtime: int = 0
    chtime_ns: int = 0
    btime: int = 0
    btime_ns: int = 0
    type: int = 0
    change: int = 0
    flags: int = 0
    mode: int = 0
    nlink: int = 0
    uid: int = 0
    gid: int = 0
    attrs: int = 0
    blksize: int = 0
    fs_type: int = 0


ENTRY_1_0 = struct.Struct("=10I8Q" + "qI4x" * 4 + "10I")  # what an agent of any minor has at least
ENTRY = ENTRY_1_0
# Bytes that an agent's structs have at least: those of version 1.0. What a later one appends reads as zero.
DESCRIPTOR_1_0, AGENT_API_1_0, OPTION_1_0 = 128, 160, 40
WANT = struct.Struct("=3Q")
CHUNK = struct.Struct("=QQII")


class BpTime(ctypes.Structure):
    _fields_ = [("sec", c_int64), ("nsec", c_uint32), ("reserved", c_uint32)]


class BpEntry(ctypes.Structure):
    """Only for comparing layouts; pages are read with `ENTRY`."""

    _fields_ = [
        *((name, c_uint32) for name in Entry._fields[:10]),
        *((name, c_uint64) for name in Entry._fields[10:18]),
        *((name, BpTime) for name in ("atime", "mtime", "chtime", "btime")),
        *((name, c_uint32) for name in Entry._fields[26:]),
    ]


class BpWant(ctypes.Structure):
    _fields_ = [("cookie", c_uint64), ("streams", c_uint64), ("options", c_uint64)]


class BpBatch(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("stride", c_uint32),
        ("buf", c_void_p),
        ("cap", c_uint64),
        ("max_entries", c_uint32),
        ("count", c_uint32),
        ("heap_low", c_uint64),
        ("flags", c_uint32),
        ("reserved", c_uint32),
    ]


class BpChunk(ctypes.Structure):
    _fields_ = [("offset", c_uint64), ("len", c_uint64), ("flags", c_uint32), ("reserved", c_uint32)]


class BpBegin(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("level", c_uint32),
        ("state_why", c_uint32),
        ("flags", c_uint32),
        ("state_format", c_uint32),
        ("since", BpTime),
        ("job", c_char_p),
        ("base_job", c_char_p),
        ("state", c_void_p),
        ("state_len", c_uint64),
        ("fileset", c_char_p),
        ("where", c_char_p),
    ]


MessageFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_int32, c_void_p, c_uint32)
FailFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_int32, c_int32, c_int64, c_void_p, c_uint32)
MatchFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_uint32, c_void_p, c_void_p)
PutStateFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_uint64, c_uint32)
SecretFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_uint32, c_void_p)
DeferFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint32)
ExtensionFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p)


class BpHostApi(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("version", c_uint32),
        ("features", c_uint64),
        ("ctx", c_void_p),
        ("cancel", c_void_p),
        ("heartbeat", c_void_p),
        ("message", MessageFn),
        ("fail", FailFn),
        ("match", MatchFn),
        ("put_state", PutStateFn),
        ("secret", SecretFn),
        ("defer", DeferFn),
        ("extension", ExtensionFn),
    ]


_status = ctypes.CFUNCTYPE
# Slot -> its type. The order is the order in `bp_agent_api`.
AGENT_SLOTS = {
    "create": _status(c_int32, c_void_p, c_void_p),
    "option": _status(c_int32, c_void_p, c_char_p, c_char_p),
    "ready": _status(c_int32, c_void_p),
    "extension": _status(c_int32, c_void_p, c_char_p, c_void_p),
    "begin": _status(c_int32, c_void_p, c_void_p, c_void_p, c_void_p),
    "next_entries": _status(c_int32, c_void_p, c_void_p),
    "fetch": _status(c_int32, c_void_p, c_void_p, c_uint32, c_void_p),
    "open_stream": _status(c_int32, c_void_p, c_uint64, c_uint32, c_uint64, c_void_p),
    "read": _status(c_int32, c_void_p, c_void_p, c_uint64, c_void_p),
    "close_stream": _status(c_int32, c_void_p, c_int32),
    "restore_entry": _status(c_int32, c_void_p, c_void_p, c_void_p, c_char_p, c_uint32, c_void_p),
    "restore_stream": _status(c_int32, c_void_p, c_uint32, c_uint64),
    "write": _status(c_int32, c_void_p, c_void_p, c_void_p),
    "restore_done": _status(c_int32, c_void_p, c_int32),
    "commit": _status(c_int32, c_void_p),
    "cancel": _status(c_int32, c_void_p),
    "end": _status(c_int32, c_void_p, c_uint32),
    "confirmed": _status(c_int32, c_void_p, c_char_p, c_void_p, c_uint64, c_uint32),
    "destroy": _status(None, c_void_p),
}


class BpAgentApi(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("reserved", c_uint32), *AGENT_SLOTS.items()]


class BpOption(ctypes.Structure):
    _fields_ = [
        ("key", c_char_p),
        ("help", c_char_p),
        ("choices", c_char_p),
        ("initial", c_char_p),
        ("type", c_uint32),
        ("flags", c_uint32),
    ]


class BpDescriptor(ctypes.Structure):
    _fields_ = [
        ("magic", c_char * 8),
        ("struct_size", c_uint32),
        ("header", c_uint32),
        ("min_version", c_uint32),
        ("max_version", c_uint32),
        ("features", c_uint64),
        ("needs", c_uint64),
        ("threads", c_uint32),
        ("option_size", c_uint32),
        ("format", c_uint32),
        ("reserved", c_uint32),
        ("id", c_char_p),
        ("version", c_char_p),
        ("vendor", c_char_p),
        ("license", c_char_p),
        ("aliases", c_void_p),
        ("claims", c_void_p),
        ("options", c_void_p),
        ("n_options", c_uint64),
        ("api", c_void_p),
    ]


QueryFn = ctypes.CFUNCTYPE(c_void_p, c_uint32, c_uint32)
