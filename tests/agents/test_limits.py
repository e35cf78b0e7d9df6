from __future__ import annotations

import resource

from filed.agents.limits import fence
from filed.agents.pulse import Pulse
from tests.agents.flows import in_child


def test_no_core_and_no_more_memory_than_allowed() -> None:
    def work(_pulse: Pulse) -> str:
        fence(memory_bytes=1 << 30, descriptors=64)
        try:
            bytearray(2 << 30)
        except MemoryError:
            core = resource.getrlimit(resource.RLIMIT_CORE)
            return f"refused {core} {resource.getrlimit(resource.RLIMIT_NOFILE)[0]}"
        return "given"

    assert in_child(work) == "ok: refused (0, 0) 64"


def test_zero_leaves_a_limit_as_it_is() -> None:
    def work(_pulse: Pulse) -> bool:
        before = resource.getrlimit(resource.RLIMIT_AS)
        fence()
        return resource.getrlimit(resource.RLIMIT_AS) == before

    assert in_child(work) == "ok: True"
