"""The simulator's driver for tests: a store, and what administrators, mailboxes, time and other products do to it."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.esesim.interface import ANNOTATION, EseError, Interface

# Names that a path cannot have as they are, and that no single-byte code page has.
GROUP = "First Storage Group (MAIL1/zürich) 😀"
MAILBOX = "Mailbox Store (MAIL1)"
PUBLIC = "Public Folder Store / übrige €"


@dataclass(frozen=True, slots=True)
class Status:
    """Of one group. records: of (database, kind) with kind full, incremental, copy, differential: (genLow, genHigh)."""

    generation: int
    oldest: int
    newest: int
    checkpoint: int
    signature: str
    states: dict[str, tuple[str, str]] = field(default_factory=dict)
    records: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


class Store:
    """One simulated server. The library reads its root from ESESIM_ROOT at each Prepare and RestoreOpen."""

    def __init__(self, library: ctypes.CDLL, root: Path, server: str = "", *, create: bool = True) -> None:
        self.library, self.root = library, root
        self.ese = Interface(library)
        if create:
            self._do("create", ANNOTATION, server)
        self.use()

    @classmethod
    def there(cls, library: ctypes.CDLL, root: Path) -> Store:
        """One that is on disk already."""
        return cls(library, root, create=False)

    def use(self) -> None:
        os.environ["ESESIM_ROOT"] = str(self.root)

    def _do(self, name: str, *arguments: Any) -> None:
        values = [
            a.encode() if isinstance(a, str) else ctypes.c_uint32(a) if isinstance(a, int) else a for a in arguments
        ]
        function = getattr(self.library, f"esesim_{name}")
        function.restype = ctypes.c_int32
        result = function(os.fsencode(self.root), *values)
        if result < 0:
            raise EseError(name, result)

    def _text(self, name: str, group: str | None) -> str:
        result = ctypes.c_int32()
        function = getattr(self.library, f"esesim_{name}")
        function.restype = ctypes.c_void_p
        address = function(os.fsencode(self.root), group.encode() if group else None, ctypes.byref(result))
        if result.value < 0:
            raise EseError(name, result.value)
        text = ctypes.string_at(address).decode()
        self.library.esesim_free(ctypes.c_void_p(address))
        return text

    def add_group(self, name: str = GROUP, directory: str = "g1", **settings: int | str) -> Path:
        """Its directory."""
        self._do("add_group", directory, name, "".join(f"{key}={value}\n" for key, value in settings.items()))
        return self.root / directory

    def set_group(self, name: str = GROUP, **settings: int | str) -> None:
        self._do("set_group", name, "".join(f"{key}={value}\n" for key, value in settings.items()))

    def add_database(self, name: str = MAILBOX, file: str = "mbx", group: str = GROUP, guid: str | None = None) -> None:
        self._do("add_database", group, name, file, guid)

    def remove_database(self, name: str, group: str = GROUP) -> None:
        self._do("remove_database", group, name)

    def rename_database(self, name: str, new: str, group: str = GROUP) -> None:
        self._do("rename_database", group, name, new)

    def mount(self, name: str | None = None, group: str = GROUP) -> None:
        self._do("mount", group, name)

    def dismount(self, name: str | None = None, group: str = GROUP) -> None:
        self._do("dismount", group, name)

    def put(self, page: int, content: str, database: str = MAILBOX, group: str = GROUP, *, flush: bool = False) -> None:
        self._do("put", group, database, page, content, int(flush))

    def write(self, count: int = 20, seed: int = 1, group: str = GROUP, flush_percent: int = 30) -> None:
        self._do("write", group, count, seed, flush_percent)

    def roll(self, group: str = GROUP) -> None:
        self._do("roll", group)

    def checkpoint(self, lag: int = 0, group: str = GROUP) -> None:
        self._do("checkpoint", group, lag)

    def stretch(self, size: int, database: str = MAILBOX, group: str = GROUP) -> None:
        self._do("stretch", group, database, ctypes.c_int64(size))

    def wipe_stream(self, group: str = GROUP) -> None:
        self._do("wipe_stream", group)

    def foreign_backup(self, kind: str, group: str = GROUP) -> None:
        self._do("foreign_backup", group, kind)

    def fault(self, key: str, value: str | int | None = 1) -> None:
        self._do("fault", key, None if value is None else str(value))

    def dump(self, group: str | None = None) -> str:
        return self._text("dump", group)

    def status(self, group: str = GROUP) -> Status:
        numbers: dict[str, str] = {}
        states, records = {}, {}
        for line in self._text("status", group).splitlines():
            key, _, value = line.partition("=")
            if key == "database":
                name, mounted, state, _guid = value.rsplit("|", 3)
                states[name] = (mounted, state)
            elif key == "record":
                name, kind, low, high = value.rsplit("|", 3)
                records[name, kind] = (int(low), int(high))
            else:
                numbers[key] = value
        return Status(
            int(numbers["generation"]),
            int(numbers["oldest"]),
            int(numbers["newest"]),
            int(numbers["checkpoint"]),
            numbers["signature"],
            states,
            records,
        )

    @property
    def unfreed(self) -> int:
        return int(self.library.esesim_unfreed())

    @property
    def wrong_frees(self) -> int:
        return int(self.library.esesim_wrong_frees())
