"""Whole entries of plain records, taken and laid out by `native_host/whole_entries`: what WholeEntries does, in a tenth of the time.

It takes what is plainly well, and leaves each other entry to Python, which knows what is wrong with it. Python decides what is wanted, where it
goes and what is known of it, and lends the libraries that expand and digest: those behind `hashlib` and `deflate`. Where one is missing
LIBRARY is None, and Python does all.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Collection
from enum import IntEnum
from pathlib import Path
from typing import Final, NamedTuple

from filed.job.decode.known import KEY, KnownEntries
from filed.pipeline import Digest
from filed.process.native import DIRECTORY, native_library

_ENTRIES: Final = 256
_PAGE_BYTES: Final = 1 << 20
_ROOM: Final = _PAGE_BYTES + (512 << 10)  # one entry more: its names, three times at most, and its content
_DIGESTS: Final = ((b"MD5", Digest.MD5), (b"SHA1", Digest.SHA1), (b"SHA256", Digest.SHA256), (b"SHA512", Digest.SHA512))
_INFLATE: Final = "libdeflate_zlib_decompress_ex"
MOST: Final = 0x7FFF_FFFF  # in the header of a record
_SIZE: Final = ctypes.c_uint64
_ADDRESS: Final = ctypes.c_void_p


class Purpose(IntEnum):
    RESTORE = 0
    CHECK = 1


class Why(IntEnum):
    """What ended a run of entries: the records end in one; the page is full; the next one is not plain."""

    MORE = 0
    FULL = 1
    NOT_PLAIN = 2


class Plan(ctypes.Structure):
    """`plan` of native_host/whole_entries/whole_entries.h."""

    last_index: int
    used: int
    entries: int
    why: int
    proofs: int
    undigested: int
    content_bytes: int
    found: int
    _fields_ = (
        *((name, _ADDRESS) for name in ("init", "update", "final", "digest_context")),
        ("digests", _ADDRESS * len(_DIGESTS)),
        *((name, _ADDRESS) for name in ("inflate", "inflator", "where")),
        ("where_length", _SIZE),
        *((name, _ADDRESS) for name in ("blocks", "known", "metadata")),
        ("block_count", _SIZE),
        ("key", _SIZE * 2),
        ("renamed", _ADDRESS),
        ("renamed_count", _SIZE),
        ("purpose", ctypes.c_uint32),
        ("last_index", ctypes.c_int32),
        ("page", _ADDRESS),
        ("room", _SIZE),
        ("used", _SIZE),
        ("entries", ctypes.c_uint32),
        ("why", ctypes.c_uint32),
        ("ends", _SIZE * _ENTRIES),
        ("times", ctypes.c_int64 * _ENTRIES),
        ("file_indexes", ctypes.c_int32 * _ENTRIES),
        ("types", ctypes.c_uint32 * _ENTRIES),
        *((name, _SIZE) for name in ("proofs", "undigested", "content_bytes", "found")),
    )


class Libraries:
    """What the plan lends. Raises OSError, AttributeError or ImportError where one is not as it should be."""

    def __init__(self) -> None:
        import _hashlib  # noqa: PLC0415  whichever libcrypto it has is the one

        from deflate import _deflate  # noqa: PLC0415  the library of the package

        self.crypto = ctypes.CDLL(_hashlib.__file__)
        self.deflate = ctypes.CDLL(_deflate.__file__)
        for function in (self.crypto.EVP_MD_CTX_new, self.deflate.libdeflate_alloc_decompressor):
            function.restype = _ADDRESS
        self.crypto.EVP_MD_fetch.restype = _ADDRESS
        self.crypto.EVP_MD_fetch.argtypes = (_ADDRESS, ctypes.c_char_p, ctypes.c_char_p)
        self.crypto.EVP_MD_CTX_free.argtypes = self.deflate.libdeflate_free_decompressor.argtypes = (_ADDRESS,)
        self.crypto.EVP_MD_CTX_free.restype = self.deflate.libdeflate_free_decompressor.restype = None
        address = ctypes.cast
        self.init = address(self.crypto.EVP_DigestInit_ex, _ADDRESS).value
        self.update = address(self.crypto.EVP_DigestUpdate, _ADDRESS).value
        self.final = address(self.crypto.EVP_DigestFinal_ex, _ADDRESS).value
        self.inflate = address(getattr(self.deflate, _INFLATE), _ADDRESS).value
        self.digests = [self.crypto.EVP_MD_fetch(None, name, None) for name, _ in _DIGESTS]


class Native(NamedTuple):
    """The library's functions, and what it is lent."""

    calls: ctypes.CDLL
    lent: Libraries


def load(directory: Path = DIRECTORY) -> Native | None:
    """None where something is missing."""
    library = native_library("whole_entries", directory)
    if library is None:
        return None
    try:
        lent = Libraries()
    except (ImportError, OSError, AttributeError):
        return None
    library.take_entries.argtypes = (_ADDRESS, _ADDRESS, _SIZE)
    library.take_entries.restype = _SIZE
    return Native(library, lent)


LIBRARY: Final = load()


class NativeEntries:
    """The page at hand of one Job's restore or check. where: names go below it. renamed: FileIndexes that get other names.

    known: complete by now, and kept as it is.
    """

    def __init__(
        self,
        native: Native,
        where: bytes,
        known: KnownEntries,
        renamed: Collection[int] = (),
        purpose: Purpose = Purpose.RESTORE,
    ) -> None:
        self._calls, self._lent = native
        plan = self._plan = Plan()
        lent = self._lent
        self._page = (ctypes.c_uint64 * (_ROOM // 8))()
        self._known, self._blocks_of = known, known.table()
        self._where = ctypes.create_string_buffer(where, len(where) + 1)
        self._renamed = array("i", sorted(number for number in renamed if 0 < number <= MOST))
        plan.init, plan.update, plan.final, plan.inflate = lent.init, lent.update, lent.final, lent.inflate
        plan.digest_context = lent.crypto.EVP_MD_CTX_new()
        plan.inflator = lent.deflate.libdeflate_alloc_decompressor()
        plan.digests = (_ADDRESS * len(_DIGESTS))(*lent.digests)
        plan.where, plan.where_length = ctypes.addressof(self._where), len(where)
        plan.blocks, plan.known, plan.metadata = (part.buffer_info()[0] for part in self._blocks_of)
        plan.block_count = len(self._blocks_of[0])
        plan.key = (_SIZE * 2).from_buffer_copy(KEY)
        plan.renamed, plan.renamed_count = self._renamed.buffer_info()
        plan.purpose = purpose
        plan.page, plan.room = ctypes.addressof(self._page), _ROOM
        self._at = ctypes.addressof(plan)

    def __del__(self) -> None:
        self._lent.crypto.EVP_MD_CTX_free(self._plan.digest_context)
        self._lent.deflate.libdeflate_free_decompressor(self._plan.inflator)

    def __len__(self) -> int:
        return self._plan.entries

    def take(self, records: bytes, begin: int, end: int) -> int:
        """Adds plain entries to the page; HOT. records[begin:end]: whole records as on a Volume. Returns where it went on to; `why` says why."""
        address = ctypes.cast(ctypes.c_char_p(records), _ADDRESS).value or 0
        taken: int = self._calls.take_entries(self._at, address + begin, end - begin)
        return begin + taken

    @property
    def why(self) -> int:
        return self._plan.why

    def saw(self, file_index: int) -> None:
        """An entry went another way: one of the same number that follows is not plain."""
        self._plan.last_index = max(self._plan.last_index, file_index)

    @property
    def last_index(self) -> int:
        """The largest FileIndex that came."""
        return self._plan.last_index

    # -- what the page holds, until `clear` --------------------------------------------------------------------------

    def laid_out(self) -> bytes:
        return ctypes.string_at(self._page, self._plan.used)

    def ends(self) -> list[int]:
        ends: list[int] = self._plan.ends[: self._plan.entries]
        return ends

    def file_indexes(self) -> list[int]:
        numbers: list[int] = self._plan.file_indexes[: self._plan.entries]
        return numbers

    def looks(self) -> list[tuple[int, int]]:
        """FileType and time of each."""
        count = self._plan.entries
        return list(zip(self._plan.types[:count], self._plan.times[:count], strict=True))

    def digests(self) -> set[int]:
        """The streams that proved contents."""
        return {digest.stream for _, digest in _DIGESTS if self._plan.proofs >> digest.stream & 1}

    @property
    def undigested(self) -> int:
        return self._plan.undigested

    @property
    def content_bytes(self) -> int:
        return self._plan.content_bytes

    @property
    def found(self) -> int:
        """Entries that the catalog knows."""
        return self._plan.found

    def clear(self) -> None:
        plan = self._plan
        plan.used = plan.entries = plan.proofs = plan.undigested = plan.content_bytes = plan.found = 0
