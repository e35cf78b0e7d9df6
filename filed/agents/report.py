"""What to tell a person when a job process did not end as it should."""

from __future__ import annotations

import os
import signal

from filed.agents.pulse import Pulse


def describe_exit(pulse: Pulse, wait_status: int) -> str:
    """One sentence for a job process that died without an outcome.

    wait_status: as `os.waitpid` gives it. Names agent, version, call and entry when an agent's call was in progress.
    """
    current = pulse.current()
    who = f"agent {current.agent}" if current else "the job process"
    where = f" in {current}" if current else ", outside of any agent"
    if os.WIFSIGNALED(wait_status):
        return f"{who} crashed ({signal_name(os.WTERMSIG(wait_status))}){where}"
    code = os.waitstatus_to_exitcode(wait_status)
    return f"{who} called exit({code}){where}"


def describe_hang(pulse: Pulse, seconds: float) -> str:
    """One sentence for a job process that had to be killed after `seconds` without progress."""
    current = pulse.current()
    if current is None:
        return f"the job process made no progress for {seconds:.0f} s, outside of any agent"
    return f"agent {current.agent} made no progress for {seconds:.0f} s in {current}"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
