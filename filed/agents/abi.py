"""`abi/bplugin.h` as Python sees it: every number, every struct, every function type. No behaviour.

The header is the source and the manual: what stands between the marks is made from it. Names are the header's without their `BP_`,
structs keep it (`bp_entry` is `BpEntry`). Pointers are declared as integers (`c_void_p`) on purpose: the host passes addresses and
never lets ctypes convert for it.
"""

from __future__ import annotations

import ctypes
import struct
from ctypes import c_char, c_char_p, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from enum import IntEnum, IntFlag
from typing import NamedTuple

# ---- made by abi/layout.py from bplugin.h: do not edit ----

QUERY_SYMBOL = "bplugin_query_v1"
MAGIC = b"BPLUGIN\0"
HEADER_VERSION = 1 << 16 | 1
SIZE_UNKNOWN = 0xFFFFFFFFFFFFFFFF
MAX_STATE_BYTES = 0x80000
MAX_LARGE_STATE_BYTES = 0x1000000
MAX_HOLD_BYTES = 0x1000
MIN_READ_BYTES = 0x10000
MIN_PAGE_BYTES = 0x100000
BATCH_COMPLETE = 0x1
BATCH_GAP = 0x2
CHUNK_LAST = 0x1
PHASES_1 = b"bp.phases/1"
PLAN_1 = b"bp.plan/1"
STREAMS_1 = b"bp.streams/1"
STREAM_MASK = 0b11111


class Status(IntEnum):
    OK = 0
    END = 1
    E_ENTRY = -1
    E_NOTFOUND = -2
    E_ACCESS = -3
    E_CHANGED = -4
    E_IO = -5
    E_FAIL = -20
    E_NOMEM = -21
    E_NOSPACE = -22
    E_CORRUPT = -23
    E_CANCELLED = -24
    E_BASE = -40
    E_BUSY = -41
    E_VERSION = -42
    E_UNSUPPORTED = -43
    E_INVAL = -44
    E_SEQUENCE = -45
    E_TOO_BIG = -46
    E_HOST = -60
    E_VIOLATION = -61


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
    PART = 2
    OLDEST_FIRST = 4
    DRY_RUN = 8


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
    MODE = 1
    OWNER = 2
    SIZE = 4
    BLOCKS = 8
    INO = 16
    NLINK = 32
    RDEV = 64
    ATIME = 128
    MTIME = 256
    CHTIME = 512
    BTIME = 1024
    ATTRS = 2048
    FSTYPE = 4096


class Attr(IntFlag):
    NODUMP = 1


class AgentStream(IntEnum):
    DATA = 0
    ACL_ACCESS = 1
    ACL_DEFAULT = 2
    XATTR = 3
    OBJECT = 4

    @property
    def bit(self) -> int:
        """Its bit in a mask. Not the wire's stream numbers."""
        return 1 << self


class WantOption(IntFlag):
    NOATIME = 1
    KEEPATIME = 2
    READFIFO = 4
    CHECK_CHANGES = 8
    SPARSE = 16


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


class Release(IntEnum):
    BEGUN = 1
    FAILED = 2
    LEFT = 3


class Feature(IntFlag):
    PLAIN_FILES = 1
    VERBATIM = 2
    BROWSE = 4


class OptionFlag(IntFlag):
    REQUIRED = 1
    SECRET = 2
    REPEATS = 4
    FROM_DIRECTOR = 8
    AT_RESTORE = 16


class OptionType(IntEnum):
    STRING = 1
    BOOL = 2
    INT = 3
    SIZE = 4
    DURATION = 5
    PATH = 6
    ENUM = 7


class Entry(NamedTuple):
    """`bp_entry`, field by field; offsets count from the start of its page. Times: seconds, then ns."""

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


class EntryAt:
    """Where each field of a `bp_entry` stands, in bytes."""

    name_off = 0
    name_len = 4
    link_off = 8
    link_len = 12
    old_name_off = 16
    old_name_len = 20
    inline_off = 24
    inline_len = 28
    tlv_off = 32
    tlv_len = 36
    cookie = 40
    streams = 48
    valid = 56
    size = 64
    blocks = 72
    ino = 80
    dev = 88
    rdev = 96
    atime = 104
    atime_ns = 112
    mtime = 120
    mtime_ns = 128
    chtime = 136
    chtime_ns = 144
    btime = 152
    btime_ns = 160
    type = 168
    change = 172
    flags = 176
    mode = 180
    nlink = 184
    uid = 188
    gid = 192
    attrs = 196
    blksize = 200
    fs_type = 204


# Bytes that an agent's structs have at least: those of version 1.0. What a later one appends reads as zero.
ENTRY_1_0 = struct.Struct("=IIIIIIIIIIQQQQQQQQqI4xqI4xqI4xqI4xIIIIIIIIII")
ENTRY = struct.Struct("=IIIIIIIIIIQQQQQQQQqI4xqI4xqI4xqI4xIIIIIIIIII")
DESCRIPTOR_1_0 = 128
AGENT_API_1_0 = 160
OPTION_1_0 = 40
# The host's structs as they were then.
SIZES_1_0 = {"BpHostApi": 96, "BpBegin": 88, "BpBatch": 48}
WANT = struct.Struct("=QQQ")
CHUNK = struct.Struct("=QQII")


class BpTime(ctypes.Structure):
    _fields_ = [
        ("sec", c_int64),
        ("nsec", c_uint32),
        ("reserved", c_uint32),
    ]


class BpEntry(ctypes.Structure):
    _fields_ = [
        ("name_off", c_uint32),
        ("name_len", c_uint32),
        ("link_off", c_uint32),
        ("link_len", c_uint32),
        ("old_name_off", c_uint32),
        ("old_name_len", c_uint32),
        ("inline_off", c_uint32),
        ("inline_len", c_uint32),
        ("tlv_off", c_uint32),
        ("tlv_len", c_uint32),
        ("cookie", c_uint64),
        ("streams", c_uint64),
        ("valid", c_uint64),
        ("size", c_uint64),
        ("blocks", c_uint64),
        ("ino", c_uint64),
        ("dev", c_uint64),
        ("rdev", c_uint64),
        ("atime", BpTime),
        ("mtime", BpTime),
        ("chtime", BpTime),
        ("btime", BpTime),
        ("type", c_uint32),
        ("change", c_uint32),
        ("flags", c_uint32),
        ("mode", c_uint32),
        ("nlink", c_uint32),
        ("uid", c_uint32),
        ("gid", c_uint32),
        ("attrs", c_uint32),
        ("blksize", c_uint32),
        ("fs_type", c_uint32),
    ]


class BpWant(ctypes.Structure):
    _fields_ = [
        ("cookie", c_uint64),
        ("streams", c_uint64),
        ("options", c_uint64),
    ]


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
    _fields_ = [
        ("offset", c_uint64),
        ("len", c_uint64),
        ("flags", c_uint32),
        ("reserved", c_uint32),
    ]


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
        ("keep_from", c_uint64),
        ("saved_job", c_char_p),
        ("saved_base", c_char_p),
        ("saved_at", BpTime),
        ("saved_entries", c_uint64),
        ("saved_bytes", c_uint64),
        ("saved_jobs", c_uint32),
        ("reserved", c_uint32),
        ("browse", c_char_p),
    ]


class BpError(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("os_domain", c_int32),
        ("os_error", c_int64),
        ("text", c_void_p),
        ("cap", c_uint32),
        ("len", c_uint32),
    ]


class BpStreams(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("most", c_uint32),
        ("open", ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint32, c_void_p, c_void_p, c_void_p)),
        ("read", ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_uint64, c_void_p, c_void_p)),
        ("close", ctypes.CFUNCTYPE(c_int32, c_void_p, c_int32, c_void_p)),
    ]


class BpPhases(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("seconds", c_uint32),
        ("prepare", ctypes.CFUNCTYPE(c_int32, c_void_p)),
        ("release", ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint32, c_void_p, c_uint32)),
    ]


class BpPlan(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("plan", ctypes.CFUNCTYPE(c_int32, c_void_p)),
    ]


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


MessageFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_int32, c_void_p, c_uint32)
FailFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_int32, c_int32, c_int64, c_void_p, c_uint32)
MatchFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_uint32, c_void_p, c_void_p)
PutStateFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_uint64, c_uint32)
SecretFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_uint32, c_void_p)
DeferFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint32)
ExtensionFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p)
ExpectFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)
WatermarkFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint64)
HoldFn = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_uint32)


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
        ("expect", ExpectFn),
        ("watermark", WatermarkFn),
        ("hold", HoldFn),
    ]


# Slot -> its type, in the order of `bp_agent_api`.
AGENT_SLOTS = {
    "create": ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p),
    "option": ctypes.CFUNCTYPE(c_int32, c_void_p, c_char_p, c_char_p),
    "ready": ctypes.CFUNCTYPE(c_int32, c_void_p),
    "extension": ctypes.CFUNCTYPE(c_int32, c_void_p, c_char_p, c_void_p),
    "begin": ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_void_p),
    "next_entries": ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p),
    "fetch": ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_uint32, c_void_p),
    "open_stream": ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint32, c_uint64, c_void_p),
    "read": ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_uint64, c_void_p),
    "close_stream": ctypes.CFUNCTYPE(c_int32, c_void_p, c_int32),
    "restore_entry": ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_char_p, c_uint32, c_void_p),
    "restore_stream": ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint32, c_uint64),
    "write": ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p),
    "restore_done": ctypes.CFUNCTYPE(c_int32, c_void_p, c_int32),
    "commit": ctypes.CFUNCTYPE(c_int32, c_void_p),
    "cancel": ctypes.CFUNCTYPE(c_int32, c_void_p),
    "end": ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint32),
    "confirmed": ctypes.CFUNCTYPE(c_int32, c_void_p, c_char_p, c_void_p, c_uint64, c_uint32),
    "destroy": ctypes.CFUNCTYPE(None, c_void_p),
}


class BpAgentApi(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        *AGENT_SLOTS.items(),
    ]


QueryFn = ctypes.CFUNCTYPE(c_void_p, c_uint32, c_uint32)


# ---- to here ----


def version(major: int, minor: int) -> int:
    return major << 16 | minor


def version_text(number: int) -> str:
    return f"{number >> 16}.{number & 0xFFFF}"


VERSION_1_1 = version(1, 1)
HOST_MIN, HOST_MAX = version(1, 0), HEADER_VERSION
HOST_FEATURES = 0  # bp_host_api.features and what `needs` may ask for: none defined in 1.0
ENTRY_SCOPE = frozenset({Status.E_ENTRY, Status.E_NOTFOUND, Status.E_ACCESS, Status.E_CHANGED, Status.E_IO})
