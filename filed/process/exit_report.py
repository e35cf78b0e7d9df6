"""What to tell a person when a job process did not end as it should."""

from __future__ import annotations

import signal

from filed.process.status_page import StatusPage


def describe_exit(status_page: StatusPage, exit_code: int, fault_address: int = 0, thread: int = 0) -> str:
    """One sentence for a job process that died without an outcome. exit_code: minus the signal's number for a crash.

    fault_address: what it could not touch, thread: which thread it was, as far as it is known.

    Names agent, version, call and entry when an agent's call was in progress; or the rule that an agent broke, when
    that is why the process left.
    """
    if status_page.backtrace and exit_code >= 0:
        return status_page.backtrace
    if exit_code < 0 and (writer := status_page.writer_into(fault_address)) is not None:
        return (
            f"agent {writer.agent} crashed ({signal_name(-exit_code)}) in {writer}:"
            " it wrote into the buffer when that call had returned"
        )
    current = status_page.read_by(thread) or status_page.current()
    who = f"agent {current.agent}" if current else "the job process"
    where = f" in {current}" if current else ", outside of any agent"
    if exit_code < 0:
        return f"{who} crashed ({signal_name(-exit_code)}){where}"
    return f"{who} called exit({exit_code}){where}"


def describe_hang(status_page: StatusPage, seconds: float) -> str:
    """One sentence for a job process that had to be killed after `seconds` without progress."""
    current = status_page.current()
    if current is None:
        return f"the job process made no progress for {seconds:.0f} s, outside of any agent"
    return f"agent {current.agent} made no progress for {seconds:.0f} s in {current}"


WINDOWS_STATUS = {
    0xC000_0005: "access violation",
    0xC000_001D: "illegal instruction",
    0xC000_0094: "division by zero",
    0xC000_00FD: "stack overflow",
    0xC000_0374: "heap corruption",
    0xC000_0409: "fast fail",
    0xE000_0009: "killed",
    0xE000_0016: "abort",
}
"""What a process of Windows ended with, where Linux has a signal."""


def signal_name(number: int) -> str:
    """number: of a signal, or a status of Windows."""
    if number in WINDOWS_STATUS:
        return WINDOWS_STATUS[number]
    if number >= 1 << 31:
        return f"status 0x{number:08X}"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
