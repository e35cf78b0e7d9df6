from __future__ import annotations

import ctypes
import mmap
import os
import resource

from filed.config.limits import AgentLimits
from filed.process.limits import HOST_BYTES, LimitsInForce, bound_process
from filed.process.status_page import StatusPage
from filed.process.system import DESCRIPTORS
from tests.agents.flows import in_child

GET_NO_NEW_PRIVS = 39


def test_a_process_with_agents_leaves_no_core_and_cannot_gain_privileges() -> None:
    def work(_status_page: StatusPage) -> tuple[object, ...]:
        bound_process()
        limits = resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= DESCRIPTORS
        return *limits, ctypes.CDLL(None).prctl(GET_NO_NEW_PRIVS, 0, 0, 0, 0)

    assert in_child(work) == "ok: ((0, 0), True, 1)"


def test_privileges_are_left_alone_when_an_agent_needs_them() -> None:
    def work(_status_page: StatusPage) -> int:
        bound_process(new_privileges=True)
        return int(ctypes.CDLL(None).prctl(GET_NO_NEW_PRIVS, 0, 0, 0, 0))

    assert in_child(work) == "ok: 0"


def test_memory_limits_add_up_beyond_what_the_host_needs() -> None:
    def work(_status_page: StatusPage) -> list[str]:
        limits = LimitsInForce()
        answers = []
        for _ in range(2):
            limits.apply(AgentLimits(memory_bytes=4 << 30))  # far more than what this process may have freed since
            for wanted in (HOST_BYTES, HOST_BYTES + (6 << 30)):
                try:
                    mmap.mmap(-1, wanted, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
                    answers.append("given")
                except OSError:
                    answers.append("refused")
        limits.apply(AgentLimits())
        answers.append(str(resource.getrlimit(resource.RLIMIT_DATA) == before))
        return answers

    before = resource.getrlimit(resource.RLIMIT_DATA)
    assert in_child(work) == "ok: ['given', 'refused', 'given', 'given', 'True']"


def test_the_strictest_nice_counts() -> None:
    def work(_status_page: StatusPage) -> int:
        limits = LimitsInForce()
        limits.apply(AgentLimits(nice=18))
        limits.apply(AgentLimits(nice=4))
        return os.getpriority(os.PRIO_PROCESS, 0)

    assert in_child(work) == f"ok: {max(18, os.getpriority(os.PRIO_PROCESS, 0))}"
