"""What a process with agents in it may use: the bounds of every job process, and those of an agent's own fence."""

from __future__ import annotations

import os

from filed.config.limits import AgentLimits
from filed.process import system

HOST_BYTES = 256 << 20  # for filed's own buffers, threads and tables beyond what is in use when an agent is loaded


def bound_process(*, new_privileges: bool = False) -> None:
    """Limits this process and all it starts, for good. No core files: they hold secrets.

    new_privileges: whether programs that agents start may gain rights that we do not have (set-uid, file capabilities).
    """
    system.bound_process(new_privileges=new_privileges)


class LimitsInForce:
    """The fences of the agents of one process, each put up before its agent's first code runs.

    They share the process: the strictest nice counts, memory adds up, and one agent without a limit leaves all without.
    """

    def __init__(self) -> None:
        self._memory_bytes: int | None = 0  # None: no limit
        self._in_use = 0

    def apply(self, limits: AgentLimits) -> None:
        os.environ.update(limits.environment)
        if limits.nice:
            system.be_nice(limits.nice)
        self._add_memory(limits.memory_bytes)

    def _add_memory(self, allowed: int) -> None:
        """malloc then fails in the agent, which says BP_E_NOMEM, before the machine suffers."""
        if allowed and self._memory_bytes is not None:
            self._in_use = self._in_use or system.data_bytes()
            self._memory_bytes += allowed
            system.bound_memory(self._in_use + HOST_BYTES + self._memory_bytes)
        else:
            self._memory_bytes = None
            system.bound_memory(None)
