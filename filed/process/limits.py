"""What a process with agents in it may use: the bounds of every job process, and those of an agent's own fence."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path

from filed.config.limits import AgentLimits

DESCRIPTORS = 4096  # a walk needs tens, and who leaks shall meet a bound
HOST_BYTES = 256 << 20  # for filed's own buffers, threads and tables beyond what is in use when an agent is loaded
_PR_SET_NO_NEW_PRIVS = 38
_CAP_SYS_RESOURCE = 24
_libc = ctypes.CDLL(None, use_errno=True)


def bound_process(*, new_privileges: bool = False) -> None:
    """Limits this process and all it starts, for good. No core files: they hold secrets.

    new_privileges: whether programs that agents start may gain rights that we do not have (set-uid, file capabilities).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _at_most(resource.getrlimit(resource.RLIMIT_NOFILE)[1], DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if not new_privileges and _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")


class LimitsInForce:
    """The fences of the agents of one process, each put up before its agent's first code runs.

    They share the process: the strictest nice counts, memory adds up, and one agent without a limit leaves all without.
    """

    def __init__(self) -> None:
        self._memory_bytes: int | None = 0  # None: no limit
        self._in_use = 0
        self._hard = resource.getrlimit(resource.RLIMIT_DATA)[1]

    def apply(self, limits: AgentLimits) -> None:
        os.environ.update(limits.environment)
        if limits.nice:
            os.setpriority(os.PRIO_PROCESS, 0, max(limits.nice, os.getpriority(os.PRIO_PROCESS, 0)))
        self._add_memory(limits.memory_bytes)

    def _add_memory(self, allowed: int) -> None:
        """malloc then fails in the agent, which says BP_E_NOMEM, before the machine suffers.

        Where we can raise it again for the next agent, the limit is hard: a program that an agent starts as its own user cannot.
        """
        hard = wanted = self._hard
        if allowed and self._memory_bytes is not None:
            self._in_use = self._in_use or _data_bytes()
            self._memory_bytes += allowed
            wanted = _at_most(hard, self._in_use + HOST_BYTES + self._memory_bytes)
        else:
            self._memory_bytes = None
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted if _may_raise_hard_limits() else hard))


def _at_most(hard: int, wanted: int) -> int:
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _may_raise_hard_limits() -> bool:
    status = Path("/proc/self/status").read_bytes()
    return bool(int(status.partition(b"CapEff:")[2].split()[0], 16) >> _CAP_SYS_RESOURCE & 1)


def _data_bytes() -> int:
    """What RLIMIT_DATA counts of this process: private, writable memory."""
    status = Path("/proc/self/status").read_bytes()
    return int(status.partition(b"VmData:")[2].split()[0]) << 10
