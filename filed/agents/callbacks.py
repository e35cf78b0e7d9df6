"""The only place where C calls us: the functions of `bp_host_api`.

Every function that C sees is made by `trampoline`, which lets nothing out: what a body raises is kept as the fault of
the Job (the first one, with its traceback), the cancel word is set, and C gets BP_E_HOST. Answers are written into
the agent's memory last, and only when there is one. What arrives is copied before anything is done with it.

[job] functions answer only on the thread that made the table and only within a Job; [any] functions on every thread.
What other threads say through `message` is kept and delivered by the job thread when its call returns, so that the
services below never run on two threads.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from traceback import extract_tb
from types import TracebackType
from typing import Any, Protocol

from filed.agents.abi import (
    ENTRY_1_0,
    MAX_HOLD_BYTES,
    MAX_LARGE_STATE_BYTES,
    MAX_STATE_BYTES,
    VERSION_1_1,
    BpHostApi,
    DeferFn,
    Entry,
    ExpectFn,
    ExtensionFn,
    FailFn,
    HoldFn,
    MatchFn,
    MessageFn,
    OsDomain,
    PutStateFn,
    SecretFn,
    Severity,
    Status,
    Verdict,
    WatermarkFn,
)
from filed.agents.page import name_rule
from filed.agents.secret import Secret
from filed.agents.shape import SHAPE, HostShape
from filed.errors import printable
from filed.process.status_page import CANCEL_AT, HEARTBEAT_AT, PROGRESS_WORD, Cancel, StatusPage

MAX_TEXT_BYTES = 8 << 10  # of a message; more is a dump, not a sentence
MAX_NAME_BYTES = 64 << 10  # of a path in `match`; PATH_MAX is 4096, an agent's own names may be longer
MAX_SECRET_NAME_BYTES = 1024
MAX_KEPT_MESSAGES = 1000  # of other threads, until the job thread's call returns
MAX_DEFER_S = 24 * 3600
MAX_WATERMARK = 2**63 - 1
_OURS = str(Path(__file__).parents[1])


class HostServices(Protocol):
    """What the Job does for its agents. Called on the job thread only, and only while an agent's call is in progress."""

    def message(self, severity: Severity, text: str) -> None: ...

    def match(self, path: bytes, entry: Entry) -> int:
        """A Verdict for a directory. `entry` has dev and fs_type when `valid` says so; its offsets mean nothing."""

    def put_state(self, state: bytes, state_format: int) -> bool:
        """False: it is too long to be sealed."""

    def watermark(self, position: int) -> None: ...

    def expect(self, entries: int, size: int) -> None: ...

    def hold(self, token: bytes) -> None:
        """Durable when it returns; b"" for: nothing is held."""

    def secret(self, name: str) -> bytes | None:
        """A secret that is no option of the agent's; None when there is none of that name."""


@dataclass(frozen=True, slots=True)
class Detail:
    """What an agent said with `fail` about the status it is about to return."""

    status: int
    domain: int
    number: int
    text: str

    def __str__(self) -> str:
        match self.domain:
            case OsDomain.ERRNO:
                return f"{self.text}: {os.strerror(self.number)}" if 0 < self.number < 4096 else self.text
            case OsDomain.WIN32:
                return f"{self.text} (Windows error {self.number})"
            case OsDomain.HRESULT:
                return f"{self.text} (HRESULT {self.number & 0xFFFF_FFFF:#010x})"
            case OsDomain.AGENT:
                return f"{self.text} (error {self.number})"
        return self.text

    @property
    def errno(self) -> int:
        return self.number if self.domain == OsDomain.ERRNO else 0


class Callbacks:
    """One host table: `table` is what an agent's `create` or `begin` gets. Must outlive the agent's last use of it.

    in_job: the table of `begin`; without it the [job] functions that need a Job answer BP_E_SEQUENCE.
    state_allowed, hold_allowed: set while `put_state`, or `hold`, may be called.
    made: how many callbacks there were.  as_host: entered for what the host does, since the agent may run as another user, who cannot
    read the host's files, the modules that it imports late included.
    trouble: something below is set, look at it when the call returns. Reading one flag keeps the common case cheap.
    fault: the first thing that went wrong in the host itself, with the name of the callback. violation: the first rule
    that the agent broke. exception: of Python, that left a call of the agent. detail: its last `fail`.
    """

    def __init__(
        self,
        agent: str,
        version: int,
        status_page: StatusPage,
        services: HostServices,
        *,
        secrets: Mapping[str, Secret],
        in_job: bool,
        as_host: Callable[[], AbstractContextManager[None]] = nullcontext,
        shape: HostShape = SHAPE,
    ) -> None:
        self._agent, self._status_page, self._services, self._in_job = agent, status_page, services, in_job
        self._max_state = MAX_STATE_BYTES if version < VERSION_1_1 else MAX_LARGE_STATE_BYTES
        self._secrets, self._as_host = secrets, as_host
        self._thread = threading.get_ident()
        self._kept: deque[tuple[Severity, str]] = deque()
        self._lost_messages = 0
        self._expected: tuple[int, int] | None = None  # of another thread, until the job thread's call returns
        self._closed = False
        self._told: set[str] = set()
        self.state_allowed = self.hold_allowed = False
        self.made = 0
        self._trouble = ctypes.c_uint32()
        self.trouble_at = ctypes.addressof(self._trouble)  # for C code that makes calls
        self.fault: tuple[str, BaseException] | None = None
        self.violation = self.exception = ""
        self.detail: Detail | None = None
        # An opaque, unique, never dereferenced number: agents that mix up two tables are found out.
        self._context = id(self)
        # ctypes keeps no reference to what it hands out to C; this tuple and `table` must live as long as the agent.
        self._functions = (
            MessageFn(self.trampoline("message", self._message)),
            FailFn(self.trampoline("fail", self._fail)),
            MatchFn(self.trampoline("match", self._match, job_thread=True)),
            PutStateFn(self.trampoline("put_state", self._put_state, job_thread=True)),
            SecretFn(self.trampoline("secret", self._secret, job_thread=True)),
            DeferFn(self.trampoline("defer", self._defer)),
            ExtensionFn(self.trampoline("extension", self._extension, job_thread=True)),
            ExpectFn(self.trampoline("expect", self._expect)),
            WatermarkFn(self.trampoline("watermark", self._watermark, job_thread=True)),
            HoldFn(self.trampoline("hold", self._hold, job_thread=True)),
        )
        self.table = BpHostApi(
            ctypes.sizeof(BpHostApi),
            version,
            shape.features,
            self._context,
            status_page.address + CANCEL_AT,
            status_page.address + HEARTBEAT_AT,
            *self._functions,
        )
        self._whole = shape.memory(self.table)
        self.address = ctypes.addressof(self._whole)

    @property
    def trouble(self) -> bool:
        return self._trouble.value != 0

    @trouble.setter
    def trouble(self, there_is: bool) -> None:
        self._trouble.value = there_is

    def trampoline(self, name: str, body: Callable[..., Status], *, job_thread: bool = False) -> Callable[..., int]:
        """`body` as C may call it: never raises, always an int."""
        words, own_thread, get_ident = self._status_page.words, self._thread, threading.get_ident
        as_host = self._as_host
        at_once = as_host is nullcontext

        @wraps(body)
        def called_by_c(context: int | None, *arguments: Any) -> int:
            try:
                words[PROGRESS_WORD] += 1
                self.made += 1
                if context != self._context:
                    return self._refuse(f"{name} was called with a ctx that is not this table's", Status.E_INVAL)
                if self._closed:
                    return self._refuse(f"{name} was called on the table of a Job that has ended", Status.E_SEQUENCE)
                if job_thread and get_ident() != own_thread:
                    return self._refuse(f"{name} was called from a thread of the agent's own", Status.E_SEQUENCE)
                if at_once:
                    return int(body(*arguments))
                with as_host():
                    return int(body(*arguments))
            except BaseException as fault:  # noqa: BLE001  an exception that left would hand C an uninitialised number
                self.record_fault(name, fault)
                return int(Status.E_HOST)

        return called_by_c

    def record_fault(self, where: str, fault: BaseException) -> None:
        if self.fault is None:
            self.fault = (where, fault)
        self.trouble = True
        self._status_page.ask_cancel(Cancel.FAULT)

    def record_exception(self, exception: BaseException) -> None:
        """One that left an agent written in Python: C got whatever the call had to return."""
        if not self.exception:
            frames = [one for one in extract_tb(exception.__traceback__) if not one.filename.startswith(_OURS)]
            where = ", ".join(f"{one.filename}:{one.lineno} in {one.name}" for one in frames)
            what = f"an exception left it: {type(exception).__name__}: {exception}".rstrip(": ")
            self.exception = printable(f"{what} (at {where})".removesuffix(" (at )").encode())
        self.trouble = True

    def close(self) -> None:
        """The Job of this table has ended: whoever still uses it breaks the contract."""
        self._closed = True
        self.drain()

    def tell(self, severity: Severity, text: str) -> None:
        self._services.message(severity, text)

    def drain(self) -> None:
        """Delivers what the agent's own threads said. On the job thread, between calls."""
        while self._kept:
            self._services.message(*self._kept.popleft())
        if self._lost_messages:
            lost, self._lost_messages = self._lost_messages, 0
            self._services.message(Severity.WARNING, f"{self._agent}: {lost} messages of its threads were dropped")
        if self._expected is not None:
            expected, self._expected = self._expected, None
            self._services.expect(*expected)

    def _not_now(self, what: str) -> Status:
        """Out of order, on the job thread, and without harm: told once, for anyone who wrote the agent."""
        if what not in self._told:
            self._told.add(what)
            self._services.message(Severity.WARNING, f"agent {self._agent} calls {what}; refused (BP_E_SEQUENCE)")
        return Status.E_SEQUENCE

    def _refuse(self, rule: str, status: Status) -> int:
        if not self.violation:
            self.violation = rule
        self.trouble = True
        return int(status)

    # ---- the functions, without their ctx ------------------------------------------------------------------------

    def _message(self, severity: int, address: int | None, length: int) -> Status:
        text = _text(address, length)
        if text is None:
            return Status.E_INVAL
        known = Severity.DEBUG <= severity <= Severity.ERROR
        level = Severity(severity) if known else Severity.WARNING
        if threading.get_ident() == self._thread:
            self._services.message(level, text)
        elif len(self._kept) < MAX_KEPT_MESSAGES:
            self._kept.append((level, text))
            self.trouble = True
        else:
            self._lost_messages += 1
        return Status.OK if known else Status.E_INVAL

    def _fail(self, status: int, domain: int, number: int, address: int | None, length: int) -> Status:
        text = _text(address, length)
        if text is None:
            return Status.E_INVAL
        self.detail = Detail(status, domain, number, text)
        self.trouble = True
        return Status.OK

    def _match(self, path_at: int | None, length: int, entry_at: int | None, verdict_at: int | None) -> Status:
        if not self._in_job:
            return self._not_now("match outside of a Job")
        if not path_at or not entry_at or not verdict_at or not 0 < length <= MAX_NAME_BYTES:
            return Status.E_INVAL
        path = ctypes.string_at(path_at, length)
        rule = name_rule(path)
        if rule:
            self._refuse(f"match({printable(path)}): {rule}", Status.E_INVAL)
            return Status.E_INVAL
        entry = Entry(*ENTRY_1_0.unpack(ctypes.string_at(entry_at, ENTRY_1_0.size)))  # an older agent has no more
        verdict = Verdict(self._services.match(path, entry))
        ctypes.c_uint32.from_address(verdict_at).value = verdict
        return Status.OK

    def _put_state(self, address: int | None, length: int, state_format: int) -> Status:
        if not self._in_job:
            return self._not_now("put_state outside of a Job")
        if not self.state_allowed:
            return self._not_now("put_state after END, or in a Job that is no backup: what was put before END stays")
        if length > self._max_state:
            return self._too_long(length, f"{self._max_state:,} are the most")
        if length and not address:
            return Status.E_INVAL
        if not self._services.put_state(ctypes.string_at(address, length) if address else b"", state_format):
            return self._too_long(length, "compressed it does not fit into a restore object")
        return Status.OK

    def _too_long(self, length: int, why: str) -> Status:
        text = f"agent {self._agent} puts a state of {length:,} bytes; refused: {why}"
        self._services.message(Severity.WARNING, text)
        return Status.E_TOO_BIG

    def _expect(self, entries: int, size: int) -> Status:
        if threading.get_ident() == self._thread:
            self._services.expect(entries, size)
        else:
            self._expected = entries, size
            self.trouble = True
        return Status.OK

    def _hold(self, token: int | None, length: int) -> Status:
        if not self.hold_allowed:
            return self._not_now("hold outside of prepare, release and a backup, or without bp.phases/1")
        if length > MAX_HOLD_BYTES:
            return Status.E_TOO_BIG
        if length and not token:
            return Status.E_INVAL
        self._services.hold(ctypes.string_at(token, length) if token else b"")
        return Status.OK

    def _watermark(self, position: int) -> Status:
        if not self._in_job:
            return self._not_now("watermark outside of a Job")
        if not self.state_allowed:
            return self._not_now("watermark after END, or in a Job that is no backup")
        if not 1 <= position <= MAX_WATERMARK:
            return Status.E_INVAL
        self._services.watermark(position)
        return Status.OK

    def _secret(self, name_at: int | None, buffer_at: int | None, cap: int, length_at: int | None) -> Status:
        if not name_at or not length_at or (cap and not buffer_at):
            return Status.E_INVAL
        name = ctypes.string_at(name_at)
        if len(name) > MAX_SECRET_NAME_BYTES:
            return Status.E_INVAL
        key = name.decode("utf-8", "backslashreplace")
        value = self._secrets[key].read() if key in self._secrets else self._services.secret(key)
        if value is None:
            return Status.E_NOTFOUND
        if not isinstance(value, bytes):  # ctypes would copy a str's own representation
            raise TypeError(f"the secret {key} is {type(value).__name__}, not bytes")
        if len(value) > cap:
            ctypes.c_uint32.from_address(length_at).value = len(value)
            return Status.E_TOO_BIG
        if value and buffer_at:
            ctypes.memmove(buffer_at, value, len(value))
        ctypes.c_uint32.from_address(length_at).value = len(value)
        return Status.OK

    def _defer(self, seconds: int) -> Status:
        self._status_page.defer(min(seconds, MAX_DEFER_S))
        return Status.OK

    def _extension(self, _id: int | None, out: int | None) -> Status:
        if not out:
            return Status.E_INVAL
        ctypes.c_void_p.from_address(out).value = None
        return Status.E_UNSUPPORTED


def _text(address: int | None, length: int) -> str | None:
    """An agent's words as one line; None when they are nowhere."""
    if not address:
        return None if length else ""
    cut = " ..." if length > MAX_TEXT_BYTES else ""
    return printable(ctypes.string_at(address, min(length, MAX_TEXT_BYTES)).strip()) + cut


class UnraisableHook:
    """While it is entered, faults that Python can only print fail the Job: `report(where, fault)` gets them.

    An argument or a result that ctypes cannot convert, or no memory, raises outside of a trampoline's body and reaches
    `sys.unraisablehook`, in older CPython `sys.excepthook`. Unheard, a lost put_state would look like success.

    report_agent: gets the exceptions that leave the functions of agents made by cffi, which are in this interpreter, too; C got 0,
    which is BP_OK.
    """

    def __init__(
        self, report: Callable[[str, BaseException], None], report_agent: Callable[[BaseException], None]
    ) -> None:
        self._report, self._report_agent = report, report_agent

    def __enter__(self) -> None:
        self._before = sys.unraisablehook, sys.excepthook
        sys.unraisablehook = self._unraisable
        sys.excepthook = partial(self._exception)

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook, sys.excepthook = self._before

    def _unraisable(self, args: sys.UnraisableHookArgs) -> None:
        if args.exc_value is not None and "cffi callback" in (args.err_msg or ""):
            self._report_agent(args.exc_value)
        elif args.exc_value is not None:
            self._report("a callback", args.exc_value)
        else:
            self._before[0](args)

    def _exception(self, _kind: type[BaseException], fault: BaseException, _trace: TracebackType | None) -> None:
        self._report("a callback", fault)
