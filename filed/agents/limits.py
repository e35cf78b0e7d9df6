"""What a process with agents in it may use."""

from __future__ import annotations

import resource


def fence(memory_bytes: int = 0, descriptors: int = 0) -> None:
    """Limits this process for good. No core files: they hold secrets. 0: leave a limit as it is.

    memory_bytes: of address space; malloc then fails in the agent, which says BP_E_NOMEM, before the machine suffers.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for what, wanted in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_NOFILE, descriptors)):
        if wanted:
            _, hard = resource.getrlimit(what)
            limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(what, (limit, limit))
