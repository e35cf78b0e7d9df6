"""One call into an agent: marked in the status page, its answer judged."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from filed.agents.abi import ENTRY_SCOPE, BpAgentApi, Severity, Status
from filed.agents.callbacks import Callbacks, Detail
from filed.agents.load import Library
from filed.agents.restore_loop import RestoreLoop
from filed.errors import AgentError, FiledError, ItemError, JobCanceled, printable
from filed.process.status_page import CALL_WORD, NO_SLOT, PROGRESS_WORD, Call, Cancel, Slot, StatusPage

_CALLS_OF_ONE_ENTRY = frozenset(
    {
        Call.open_stream,
        Call.read,
        Call.close_stream,
        Call.restore_entry,
        Call.restore_stream,
        Call.write,
        Call.restore_done,
    }
)
_CLONED = 71  # exit code of a copy of the job process that should not exist
_LAST_COMMON_STATUS = -999  # below are an agent's own numbers, which read as E_FAIL


class Caller:
    """Calls functions of one agent and turns what they return into values and errors.

    Judged in this order: a fault of our own callbacks, an exception that left the agent, a rule the agent broke in one, a cancel, the status. ItemError
    for a status that concerns one entry, AgentError else. last_status: what the last call returned, whatever was raised
    after: what it made must be released.
    """

    def __init__(
        self, library: Library, status_page: StatusPage, callbacks: Callbacks, *, slot: Slot | None = None
    ) -> None:
        self.label = library.descriptor.label
        self._status_page, self._callbacks = status_page, callbacks
        self._words, self._halves = status_page.words, status_page.halves
        self.slot = status_page.register(self.label) if slot is None else slot
        self._slot_bits = self.slot << 16
        self._entry = b""
        self._pid = os.getpid()
        self._identity = library.identity
        self.last_status = 0
        self.answer_to_fault: int | None = None  # what the call returned in which one of our callbacks failed

    @property
    def entry(self) -> bytes:
        return self._entry

    @entry.setter
    def entry(self, name: bytes) -> None:
        """The entry that the coming calls are about; b"" for none."""
        self._entry = name
        self._status_page.set_entry(name)

    def call(self, call: Call, function: Callable[..., int], *arguments: Any) -> int:
        """Returns OK or END (only next_entries may say END). Raises what the module says."""
        status: int = self._raw(call, function, arguments)
        if status or self._callbacks.trouble or self._halves[0]:
            self.judge(call, status, canceled=self._halves[0] != 0)
        return status

    def call_to_the_end(self, call: Call, function: Callable[..., int], *arguments: Any) -> None:
        """The same for what must be done whether the Job is canceled or not: closing, commit, end. May say that it was."""
        status = self._raw(call, function, arguments)
        if status or self._callbacks.trouble:
            self.judge(call, status, canceled=False)

    def answer(
        self,
        call: Call,
        detail: Callable[[int], Detail | None],
        function: Callable[..., int],
        *arguments: Any,
        to_the_end: bool = False,
    ) -> None:
        """A call that says in a place of its own what is wrong: `detail` of its status. to_the_end: as in call_to_the_end."""
        status = self._raw(call, function, arguments)
        if not status and not self._callbacks.trouble and (to_the_end or not self._halves[0]):
            return
        if status < 0 and self._callbacks.detail is None:
            self._callbacks.detail = detail(status)
        self.judge(call, status, canceled=not to_the_end and self._halves[0] != 0)

    def call_void(self, call: Call, function: Callable[..., None], *arguments: Any) -> None:
        self._raw(call, function, arguments)
        if self._callbacks.trouble:
            self.judge(call, Status.OK, canceled=False)

    def beside(self, number: int, entry: bytes, function: Callable[..., int], *arguments: Any) -> int:
        """A `read` of a thread of its own, beside the calls of the job thread. number: of the stream, less than STREAMS."""
        self._status_page.reads_beside(number, threading.get_native_id(), self.slot, entry)
        try:
            return int(self._as_agent(function, arguments))
        finally:
            if os.getpid() != self._pid:
                os._exit(_CLONED)
            self._status_page.reads_beside(number, 0, self.slot, entry)
            self._words[PROGRESS_WORD] += 1

    def waits_for(self, call: Call, entry: bytes) -> None:
        """The job thread waits for such a call of another one."""
        self._status_page.set_entry(entry)
        self._words[CALL_WORD] = call | self._slot_bits

    def waits_no_more(self) -> None:
        self._words[CALL_WORD] = 0
        self._status_page.set_entry(self._entry)

    def cancel(self, function: Callable[..., int], address: int) -> None:
        """The one call that runs on another thread, beside others. Its status is nobody's concern."""
        self._status_page.mark_cancel(self.slot)
        try:
            self._as_agent(function, (address,))
        finally:
            self._status_page.mark_cancel(NO_SLOT)

    def filled(self, number: int, address: int, size: int) -> None:
        """A buffer of the host has what `read` gave of the entry at hand."""
        self._status_page.filled(number, self.slot, address, size, self._entry)

    def violated(self, call: Call | str, rule: str, entry: bytes | None = None) -> NoReturn:
        """entry: what the call was about, if that is not the one that all coming calls are about."""
        name = call.name if isinstance(call, Call) else call
        about = self._entry if entry is None else entry
        error = AgentError(self.label, name, Status.E_VIOLATION, f"broke the contract: {rule}", about)
        self._status_page.set_reason(str(error))  # it may have closed the descriptor by which we would tell it
        raise error

    def _raw(self, call: Call, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        words, getpid = self._words, os.getpid
        words[CALL_WORD] = call | self._slot_bits
        try:
            self.last_status = status = self._as_agent(function, arguments) if self._identity else function(*arguments)
            return status
        finally:
            if getpid() != self._pid:
                os._exit(_CLONED)  # the agent forked, and its copy of this Job came back: it must not do a thing
            words[CALL_WORD] = 0
            words[PROGRESS_WORD] += 1

    def _as_agent(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        if self._identity is None:
            return function(*arguments)
        with self._identity.worn():
            return function(*arguments)

    @property
    def restore_loop(self) -> Callable[[BpAgentApi, int], RestoreLoop]:
        """Makes the loop that hands whole entries over: (the agent's functions, address of its bp_job)."""
        return partial(
            RestoreLoop, status_page=self._status_page.address, trouble=self._callbacks.trouble_at, slot=self.slot
        )

    def run(self, restore_loop: RestoreLoop) -> Call:
        """Goes on with a page until a call of it is to be judged: which; Call.none: all of it is done."""
        return Call(self._as_agent(restore_loop.run, ()))

    def judge_handed(self, call: Call, status: int) -> None:
        """What `call`, or for restore_done `call_to_the_end`, does with an answer."""
        self.judge(call, status, canceled=self._halves[0] != 0 and call != Call.restore_done)

    def judge(self, call: Call, status: int, *, canceled: bool) -> None:
        """Raises what the module says, or returns when there is nothing to it."""
        callbacks = self._callbacks
        detail, callbacks.detail = callbacks.detail, None
        callbacks.trouble = False
        callbacks.drain()
        if callbacks.fault is not None:
            (where, fault), callbacks.fault = callbacks.fault, None
            self.answer_to_fault = status
            if isinstance(fault, FiledError):
                raise fault
            text = f"the host's own callback {where} failed: {type(fault).__name__}: {fault}"
            raise AgentError(self.label, call.name, Status.E_HOST, text, self._entry) from fault
        if callbacks.exception:
            text, callbacks.exception = callbacks.exception, ""
            raise AgentError(self.label, call.name, Status.E_FAIL, text, self._entry)
        if callbacks.violation:
            rule, callbacks.violation = callbacks.violation, ""
            self.violated(call, rule)
        if canceled and self._halves[0] == Cancel.FAULT:
            text = "stopped, since a callback of the host failed in another agent"
            raise AgentError(self.label, call.name, Status.E_HOST, text, self._entry)
        if canceled or (status == Status.E_CANCELLED and call in _CALLS_OF_ONE_ENTRY and self._halves[0]):
            raise JobCanceled(f"canceled during {call.name} of agent {self.label}")
        if status == Status.OK or (status == Status.END and call == Call.next_entries):
            if detail is not None:
                self._went_on(call, detail)
            return
        self.refuse(call, status, detail, self._entry)

    def refuse(self, call: Call, status: int, detail: Detail | None, entry: bytes) -> NoReturn:
        """Raises what a status means that is not BP_OK. entry: what the call was about."""
        if status > 0:
            self.violated(call, f"it returned {status}, which is no status", entry)
        name, code = _status_name(status)
        meaning = _MEANINGS[code]
        if detail is not None:
            same = detail.status == status
            meaning = (
                str(detail)
                if same
                else f"{meaning}; before that it reported {_status_name(detail.status)[0]}: {detail}"
            )
        if status in ENTRY_SCOPE and call in _CALLS_OF_ONE_ENTRY:
            text = f"agent {self.label}: {call.name}: {meaning}"
            raise ItemError(entry, text, detail.errno if detail is not None else 0)
        text = f"{meaning} ({name})"
        raise AgentError(self.label, call.name, code, text, entry)

    def _went_on(self, call: Call, detail: Detail) -> None:
        """It said `fail`, and that all is well."""
        about = f", entry {printable(self._entry)}" if self._entry else ""
        text = f"agent {self.label}: {call.name} reported an error and returned success: {detail}{about}"
        self._callbacks.tell(Severity.WARNING, text)

    @property
    def canceled(self) -> bool:
        """Has somebody asked for the end of the Job?"""
        return self._halves[0] not in (Cancel.NO, Cancel.FAULT)


def _status_name(status: int) -> tuple[str, Status]:
    """(its name, the status it reads as)"""
    if status in _MEANINGS:
        return f"BP_{Status(status).name}", Status(status)
    if status < _LAST_COMMON_STATUS:
        return f"its own error {status}", Status.E_FAIL
    return f"status {status}, unknown to this host", Status.E_FAIL


_MEANINGS = {
    Status.E_ENTRY: "this entry cannot be done",
    Status.E_NOTFOUND: "it is not there any more",
    Status.E_ACCESS: "access is denied",
    Status.E_CHANGED: "it changed while it was read",
    Status.E_IO: "input/output error",
    Status.E_FAIL: "it failed without saying why",
    Status.E_NOMEM: "out of memory",
    Status.E_NOSPACE: "no space left",
    Status.E_CORRUPT: "the data is corrupt",
    Status.E_CANCELLED: "it says it was canceled; nobody asked it to",
    Status.E_BASE: "it cannot continue from this base",
    Status.E_BUSY: "its service is busy with another backup",
    Status.E_VERSION: "it does not want this host's version",
    Status.E_UNSUPPORTED: "it does not support this",
    Status.E_INVAL: "it was given something invalid",
    Status.E_SEQUENCE: "it was called out of order",
    Status.E_TOO_BIG: "something is too big",
    Status.E_HOST: "it says a callback of the host failed",
    Status.E_VIOLATION: "it says the contract was broken",
}
