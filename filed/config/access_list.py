r"""What Windows' access lists let others do with a file: who owns it, who may change it, who may read it.

`parse` reads a security descriptor in its self-relative form:

    u8 revision, u8 0, u16 control, u32 owner, u32 group, u32 SACL, u32 DACL       where each is, in bytes from the beginning; 0: none
    SID    u8 revision, u8 n, u48 authority (big-endian), n x u32
    ACL    u8 revision, u8 0, u16 size, u16 entries, u16 0, then the entries
    entry  u8 type, u8 flags, u16 size, u32 access mask, SID

Entries that deny are left aside: what they take away nobody relies on here. Source: [MS-DTYP] 2.4.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

_HEAD = struct.Struct("<BxHIIII")
_LIST, _ENTRY = struct.Struct("<BxHHxx"), struct.Struct("<BBHI")
_SID = struct.Struct("<BB6s")
_LIST_PRESENT = 0x0004
_ALLOW, _ALLOW_CALLBACK = 0, 9
_INHERIT_ONLY = 0x08

GENERIC_ALL, GENERIC_WRITE, GENERIC_READ = 0x1000_0000, 0x4000_0000, 0x8000_0000
DELETE, WRITE_DAC, WRITE_OWNER = 0x0001_0000, 0x0004_0000, 0x0008_0000
READ_DATA, WRITE_DATA, APPEND_DATA, DELETE_CHILD = 0x1, 0x2, 0x4, 0x40

REPLACE: Final = GENERIC_ALL | GENERIC_WRITE | DELETE | WRITE_DAC | WRITE_OWNER | DELETE_CHILD
"""Of a directory: to put something else in the place of what it holds. Everybody may make new directories below a drive."""
WRITE: Final = REPLACE | WRITE_DATA | APPEND_DATA
READ: Final = GENERIC_ALL | GENERIC_READ | READ_DATA

TRUSTED: Final = {
    "S-1-5-18": "SYSTEM",
    "S-1-5-32-544": "Administrators",
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464": "TrustedInstaller",
}
_KNOWN: Final = {
    **TRUSTED,
    "S-1-1-0": "Everyone",
    "S-1-5-11": "Authenticated Users",
    "S-1-5-32-545": "Users",
    "S-1-5-32-546": "Guests",
    "S-1-5-4": "Interactive",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One that allows something."""

    who: str
    mask: int


@dataclass(frozen=True, slots=True)
class Descriptor:
    """owner: a SID, "" for none. entries: those that count for the file itself; None: there is no list, and everybody may do everything."""

    owner: str
    entries: tuple[Entry, ...] | None

    def others_who_may(self, mask: int, trusted: Collection[str]) -> list[str]:
        """The SIDs outside `trusted` that may do something of `mask`."""
        if self.entries is None:
            return ["S-1-1-0"]
        return [entry.who for entry in self.entries if entry.mask & mask and entry.who not in trusted]


def parse(data: bytes) -> Descriptor:
    """Raises ValueError for what is no descriptor."""
    try:
        _, control, owner, _, _, at = _HEAD.unpack_from(data)
        entries = tuple(_entries(data, at)) if control & _LIST_PRESENT and at else None
        return Descriptor(_sid(data, owner) if owner else "", entries)
    except struct.error as error:
        raise ValueError(f"no security descriptor: {error}") from None


def _entries(data: bytes, at: int) -> Iterator[Entry]:
    _, _, count = _LIST.unpack_from(data, at)
    at += _LIST.size
    for _ in range(count):
        kind, flags, size, mask = _ENTRY.unpack_from(data, at)
        if kind in (_ALLOW, _ALLOW_CALLBACK) and not flags & _INHERIT_ONLY:
            yield Entry(_sid(data, at + _ENTRY.size), mask)
        if size < _ENTRY.size:
            raise ValueError("no security descriptor: an entry without a size")
        at += size


def _sid(data: bytes, at: int) -> str:
    revision, count, authority = _SID.unpack_from(data, at)
    parts = struct.unpack_from(f"<{count}I", data, at + _SID.size)
    return "-".join(map(str, ("S", revision, int.from_bytes(authority), *parts)))


def name_of(sid: str) -> str:
    return _KNOWN.get(sid, sid)


def why_not_owned(path: object, descriptor: Descriptor, trusted: Collection[str]) -> str:
    """Why what lies there may be somebody else's work, and what to do; "" when it is not. trusted: SIDs."""
    if descriptor.owner not in trusted:
        owner = name_of(descriptor.owner) or "nobody"
        return f'{path} belongs to {owner}, who could have anything done by it; run: icacls "{path}" /setowner Administrators'
    return ""


def why_changeable(path: object, descriptor: Descriptor, trusted: Collection[str], mask: int = WRITE) -> str:
    """The same when others may do something of `mask` with it."""
    if others := descriptor.others_who_may(mask, trusted):
        return (
            f'{path} can be changed by {name_of(others[0])}; run: icacls "{path}" /inheritance:d /remove *{others[0]}'
        )
    return ""


if sys.platform == "win32":
    import ctypes
    import functools
    from ctypes import wintypes

    _OWNER_AND_LIST, _FILE_OBJECT = 5, 1
    _TOKEN_QUERY, _TOKEN_USER, _TOKEN_BYTES = 8, 1, 512
    _advapi: Final = ctypes.WinDLL("advapi32", use_last_error=True)
    _kernel: Final = ctypes.WinDLL("kernel32", use_last_error=True)
    _advapi.GetNamedSecurityInfoW.argtypes = (
        wintypes.LPCWSTR,
        ctypes.c_int,
        wintypes.DWORD,
        *[ctypes.c_void_p] * 4,
        ctypes.POINTER(ctypes.c_void_p),
    )
    _advapi.GetSecurityDescriptorLength.argtypes = (ctypes.c_void_p,)
    _advapi.OpenProcessToken.argtypes = (wintypes.HANDLE, wintypes.DWORD, wintypes.LPHANDLE)
    _advapi.GetTokenInformation.argtypes = (
        wintypes.HANDLE,
        ctypes.c_int,
        ctypes.c_void_p,
        wintypes.DWORD,
        wintypes.LPDWORD,
    )
    _kernel.GetCurrentProcess.restype = wintypes.HANDLE
    _kernel.LocalFree.argtypes = (ctypes.c_void_p,)
    _kernel.CloseHandle.argtypes = (wintypes.HANDLE,)

    def descriptor_of(path: object) -> Descriptor:
        """Raises OSError."""
        name = str(path)
        found = ctypes.c_void_p()
        nothing = (None, None, None, None)
        if code := _advapi.GetNamedSecurityInfoW(name, _FILE_OBJECT, _OWNER_AND_LIST, *nothing, ctypes.byref(found)):
            raise OSError(None, ctypes.FormatError(code).strip(), name, code)
        try:
            return parse(ctypes.string_at(found.value or 0, _advapi.GetSecurityDescriptorLength(found)))
        finally:
            _kernel.LocalFree(found)

    @functools.cache
    def trusted_here() -> frozenset[str]:
        """The system, its administrators, and who runs this."""
        token, used = wintypes.HANDLE(), wintypes.DWORD()
        into = ctypes.create_string_buffer(_TOKEN_BYTES)
        if not _advapi.OpenProcessToken(_kernel.GetCurrentProcess(), _TOKEN_QUERY, ctypes.byref(token)):
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            if not _advapi.GetTokenInformation(token, _TOKEN_USER, into, _TOKEN_BYTES, ctypes.byref(used)):
                raise ctypes.WinError(ctypes.get_last_error())
        finally:
            _kernel.CloseHandle(token)
        (address,) = struct.unpack_from("P", into)
        return frozenset({*TRUSTED, _sid(into.raw, address - ctypes.addressof(into))})
