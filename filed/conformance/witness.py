"""The host's services for an agent under check: they answer as a Job's do, note what is asked, and fail when told to.

The functions that C calls are those of every Job (`agents.callbacks`); here they are only listened to.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable
from typing import Any

from filed.agents import Entry, EntryFlag, Severity, Status, Verdict
from filed.agents.callbacks import MAX_TEXT_BYTES, Callbacks
from filed.catalog import SealedState, fits
from filed.conformance.findings import Finding, Grade
from filed.fileset import Matcher
from filed.process.status_page import StatusPage

CALLBACKS = ("message", "fail", "match", "put_state", "secret", "defer", "extension", "expect", "watermark", "hold")
NO_VERDICT = "no verdict"  # a fault of its own: match says OK and leaves *verdict alone
FLOOD = 10_000  # messages of one instance; nobody reads so many
_KEPT = 200
_TOP, _NODUMP = int(EntryFlag.TOP), 1
_NORMAL = {
    "secret": {Status.E_NOTFOUND, Status.E_TOO_BIG},
    "extension": {Status.E_UNSUPPORTED},
}


class Injected(Exception):
    """The fault that a check makes in a callback of the host."""


class Witness:
    """What an agent did with its callbacks. fault: the callback that fails from its first call on, or NO_VERDICT."""

    def __init__(self, status_page: StatusPage, matcher: Matcher | None, fault: str = "") -> None:
        self._status_page, self._matcher, self.fault = status_page, matcher, fault
        self.calls: Counter[str] = Counter()
        self.failed_in = ""  # the agent's call in which the fault was made first
        self.states: list[tuple[bytes, int]] = []
        self.mark = 0
        self.expected = 0, 0
        self.held = b""
        self.messages: list[tuple[Severity, str]] = []
        self._findings: dict[tuple[str, str], Finding] = {}

    # ---- HostServices --------------------------------------------------------------------------------------------

    def message(self, severity: Severity, text: str) -> None:
        if len(self.messages) < _KEPT:
            self.messages.append((severity, text))

    def match(self, path: bytes, entry: Entry) -> int:
        if self.fault == NO_VERDICT:
            self.failed_in = self.failed_in or self._call()
            return Verdict.NONE
        if self._matcher is None:
            return Verdict.NONE
        top, nodump = bool(entry.flags & _TOP), bool(entry.attrs & _NODUMP)
        verdict, _ = self._matcher.directory(path, entry.dev, entry.fs_type or None, nodump=nodump, top=top)
        return verdict

    def put_state(self, state: bytes, state_format: int) -> bool:
        self.states.append((state, state_format))
        return fits(SealedState("check", "", state_format, state))

    def watermark(self, position: int) -> None:
        if position < self.mark:
            self.note(Grade.FAILED, f"a watermark of {position:,} after one of {self.mark:,}: it only rises")
        self.mark = position

    def expect(self, entries: int, size: int) -> None:
        self.expected = entries, size

    def hold(self, token: bytes) -> None:
        self.held = token

    def secret(self, name: str) -> bytes | None:  # noqa: ARG002  secrets are options, which the host answers itself
        return None

    # ---- what the callbacks tell ---------------------------------------------------------------------------------

    @property
    def findings(self) -> list[Finding]:
        """What was wrong in callbacks, each kind once."""
        found = list(self._findings.values())
        if self.calls["message"] > FLOOD:
            found.append(Finding(Grade.WARNING, f"{self.calls['message']:,} messages: nobody reads so many"))
        return found

    def called(self, name: str) -> None:
        self.calls[name] += 1
        if name == self.fault:
            self.failed_in = self.failed_in or self._call()
            raise Injected(f"a fault that the check made in {name}")

    def answered(self, name: str, status: int) -> None:
        if status < 0 and status not in _NORMAL.get(name, ()):
            said = f"BP_{Status(status).name}" if status in set(Status) else str(status)
            self.note(Grade.FAILED, f"its callback {name} was refused: the host answered {said}")

    def note(self, grade: Grade, rule: str) -> None:
        call = self._call()
        self._findings.setdefault((call, rule), Finding(grade, rule, call))

    def said(self, text: bytes, length: int) -> None:
        """The words of a message or a `fail`, as they came."""
        if length > MAX_TEXT_BYTES:
            self.note(Grade.FAILED, f"a text of {length:,} bytes: the host cuts it at {MAX_TEXT_BYTES:,}")
            return
        try:
            words = text.decode()
        except UnicodeDecodeError:
            self.note(Grade.FAILED, "a text for people is not UTF-8")
            return
        if not words.strip().isprintable():
            self.note(Grade.WARNING, "a text with control characters: they are shown escaped, on one line")

    def _call(self) -> str:
        current = self._status_page.current()
        return current.call if current is not None else ""


class WatchedCallbacks(Callbacks):
    """A host table whose every function tells the witness first."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        services = arguments[3]
        assert isinstance(services, Witness)
        self._witness = services
        super().__init__(*arguments, **keywords)

    def trampoline(self, name: str, body: Callable[..., Status], *, job_thread: bool = False) -> Callable[..., int]:
        witness = self._witness

        def watched(*arguments: Any) -> Status:
            witness.called(name)
            if name in {"message", "fail"}:
                address, length = arguments[-2:]
                witness.said(ctypes.string_at(address, min(length, MAX_TEXT_BYTES)) if address else b"", length)
            status = body(*arguments)
            witness.answered(name, status)
            return status

        return super().trampoline(name, watched, job_thread=job_thread)
