"""As which user an agent's code runs: the thread that calls it becomes that user for the call, and comes back after it.

Linux keeps user and groups per thread; only the C library's functions change all threads, so the kernel is asked directly. Files, connections
and programs of the agent are that user's. A program that it starts cannot come back; the agent's own code, which shares our memory,
could: this makes rights small and keeps accidents in, it does not hold a hostile agent.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from filed.errors import ConfigError

# Numbers of setgroups, setresgid and setresuid, from the kernel's tables of system calls.
_CALLS = {"x86_64": (116, 119, 117), "aarch64": (159, 149, 147)}
_SETGROUPS, _SETRESGID, _SETRESUID = _CALLS.get(platform.machine(), (0, 0, 0))
_KEEP = -1
if sys.platform != "win32":
    import pwd

    _syscall = ctypes.CDLL(None, use_errno=True).syscall
    _syscall.restype = ctypes.c_long
    _syscall.argtypes = [ctypes.c_long] * 4


@dataclass(frozen=True, slots=True)
class User:
    """A user with all its groups. The saved ids stay ours: they are our way back, and no program inherits them."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    def become(self) -> None:
        """On this thread alone. Raises OSError when the kernel does not let us."""
        groups = (ctypes.c_uint32 * len(self.groups))(*self.groups)
        _kernel(_SETGROUPS, len(groups), ctypes.addressof(groups))
        _kernel(_SETRESGID, self.gid, self.gid, _KEEP)
        _kernel(_SETRESUID, self.uid, self.uid, _KEEP)


@dataclass(frozen=True, slots=True)
class Identity:
    """agent: whose calls run as which user.  host: who we are else, which is root."""

    agent: User
    host: User

    @contextmanager
    def worn(self) -> Iterator[None]:
        """For a call into the agent."""
        self.agent.become()
        try:
            yield
        finally:
            self._return()

    @contextmanager
    def taken_off(self) -> Iterator[None]:
        """For what the host itself does inside a call, such as reading a secret's file."""
        self._return()
        try:
            yield
        finally:
            self.agent.become()

    def _return(self) -> None:
        _kernel(_SETRESUID, self.host.uid, self.host.uid, _KEEP)  # first: only then may the groups be changed
        self.host.become()


def identity_of(name: str) -> Identity:
    """Of an agent that runs as the user of that name. Raises ConfigError when it cannot be."""
    if sys.platform == "win32":
        raise ConfigError(f"an agent cannot run as user {name}: on Windows all agents run as the service's user")
    if not _SETRESUID:
        raise ConfigError(f"an agent cannot run as user {name} on this kind of machine, {platform.machine()}")
    if os.geteuid() != 0:
        raise ConfigError(f"an agent cannot run as user {name}: only root may change users, and this is not root")
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise ConfigError(f"an agent is to run as user {name}, and there is no such user here") from None
    agent = User(found.pw_uid, found.pw_gid, tuple(os.getgrouplist(name, found.pw_gid)))
    return Identity(agent, User(os.geteuid(), os.getegid(), tuple(os.getgroups())))


def _kernel(call: int, first: int, second: int, third: int = 0) -> None:
    assert sys.platform != "win32"  # `identity_of` makes none there
    if _syscall(call, first, second, third) < 0:
        raise OSError(ctypes.get_errno(), "cannot change the user that an agent runs as")
