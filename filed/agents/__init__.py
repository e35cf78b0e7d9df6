"""The host of native agents: everything the Job needs, and the only door to compiled code."""

from filed.agents.abi import (
    Action,
    AgentStream,
    Attr,
    BeginFlag,
    Change,
    Entry,
    EntryFlag,
    EntryType,
    Feature,
    Has,
    Kind,
    Level,
    Outcome,
    Release,
    Replace,
    Severity,
    StateWhy,
    Status,
    Verdict,
    WantOption,
)
from filed.agents.agent_job import AgentJob, Want
from filed.agents.callbacks import HostServices
from filed.agents.chunk import Chunk
from filed.agents.descriptor import Descriptor, OptionSpec
from filed.agents.instance import Agent, Begin, Saved
from filed.agents.load import Library, agent_id, find, load
from filed.agents.options import Settings, check_options
from filed.agents.page import Page, join_xattr, split_xattr
from filed.agents.page_buffer import INLINE_LIMIT
from filed.agents.parallel import ParallelStream
from filed.agents.restore_loop import BY_PAGE, WholePage, WholeStream
from filed.agents.scan import Scanned, examine, scan
from filed.process.capture import Capture
from filed.process.identity import Identity, identity_of
from filed.process.limits import LimitsInForce, bound_process
from filed.process.memory import GuardedMemory
from filed.process.state import ProcessState
from filed.process.status_page import Call, Cancel, Counters, Current, StatusPage
from filed.process.watchdog import Watchdog

__all__ = [
    "BY_PAGE",
    "INLINE_LIMIT",
    "Action",
    "Agent",
    "AgentJob",
    "AgentStream",
    "Attr",
    "Begin",
    "BeginFlag",
    "Call",
    "Cancel",
    "Capture",
    "Change",
    "Chunk",
    "Counters",
    "Current",
    "Descriptor",
    "Entry",
    "EntryFlag",
    "EntryType",
    "Feature",
    "GuardedMemory",
    "Has",
    "HostServices",
    "Identity",
    "Kind",
    "Level",
    "Library",
    "LimitsInForce",
    "OptionSpec",
    "Outcome",
    "Page",
    "ParallelStream",
    "ProcessState",
    "Release",
    "Replace",
    "Saved",
    "Scanned",
    "Settings",
    "Severity",
    "StateWhy",
    "Status",
    "StatusPage",
    "Verdict",
    "Want",
    "WantOption",
    "Watchdog",
    "WholePage",
    "WholeStream",
    "agent_id",
    "bound_process",
    "check_options",
    "examine",
    "find",
    "identity_of",
    "join_xattr",
    "load",
    "scan",
    "split_xattr",
]
