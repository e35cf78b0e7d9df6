"""What an agent must leave as it found it: a process is shared by all agents of a Job, and by us."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

_SIGACTION_BYTES = 256  # glibc's struct sigaction has 152 bytes on x86-64; its first word is the handler
_LC_ALL = 6
_libc = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
_libc.setlocale.restype = ctypes.c_char_p


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A photograph; about 50 us, so it is taken at `begin`, END and `end`, not per call."""

    signal_handlers: tuple[bytes, ...]
    signal_mask: frozenset[int]
    working_directory: tuple[int, int]
    umask: str  # "" when it cannot be read: no descriptor is left
    spare_descriptors: bool
    descriptors: tuple[tuple[int, int, int] | None, ...]
    users: tuple[int, ...]
    locale: bytes | None

    @classmethod
    def now(cls, more: Sequence[int] = ()) -> ProcessState:
        """more: descriptors to look at besides 0, 1 and 2; one of the host's stands for all that agents may close."""
        umask = _umask()
        here = os.stat(".")  # noqa: PTH116  a directory may be gone and still be where we are
        return cls(
            signal_handlers=_handlers(),
            signal_mask=_blocked(),
            working_directory=(here.st_dev, here.st_ino),
            umask=umask,
            spare_descriptors=bool(umask),
            descriptors=tuple(_identity(descriptor) for descriptor in (0, 1, 2, *more)),
            users=_users(),
            locale=_libc.setlocale(_LC_ALL, None),
        )

    def difference(self, later: ProcessState) -> str:
        """What is not as it was, in words; "" when all is."""
        unknown = {"umask"} if not (self.umask and later.umask) else set()
        names = [field.name for field in fields(self) if field.name not in unknown]
        changed = [name for name in names if getattr(self, name) != getattr(later, name)]
        return " and ".join(name.replace("_", " ") for name in changed)


if sys.platform == "win32":

    def _handlers() -> tuple[bytes, ...]:
        """Of signals, there are none to speak of; what answers to exceptions cannot be asked for."""
        return ()

    def _blocked() -> frozenset[int]:
        return frozenset()

    def _users() -> tuple[int, ...]:
        return ()

    def _umask() -> str:
        return "none"

else:

    def _handlers() -> tuple[bytes, ...]:
        """The C-level ones: Python's own `signal.getsignal` does not see what C code installed."""
        return tuple(_handler(number) for number in sorted(signal.valid_signals()))

    def _handler(number: int) -> bytes:
        action = ctypes.create_string_buffer(_SIGACTION_BYTES)
        _libc.sigaction(number, None, action)
        return action.raw[: ctypes.sizeof(ctypes.c_void_p)]

    def _blocked() -> frozenset[int]:
        return frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    def _users() -> tuple[int, ...]:
        return (*os.getresuid(), *os.getresgid())

    def _umask() -> str:
        """Read without setting it, which other threads would notice."""
        try:
            status = Path("/proc/self/status").read_bytes()
        except OSError as why:
            if why.errno in (errno.EMFILE, errno.ENFILE):
                return ""
            raise
        return status.partition(b"Umask:")[2].split()[0].decode()


def _identity(descriptor: int) -> tuple[int, int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino, getattr(status, "st_rdev", 0)
