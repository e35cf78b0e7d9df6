"""One configured instance of an agent: create, option*, ready; its Jobs; destroy."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from filed.agents.abi import (
    PHASES_1,
    PLAN_1,
    STREAMS_1,
    VERSION_1_1,
    BeginFlag,
    BpAgentApi,
    BpBegin,
    BpPhases,
    BpPlan,
    BpStreams,
    BpTime,
    Kind,
    Level,
    Release,
    StateWhy,
    Status,
)
from filed.agents.agent_job import AgentJob
from filed.agents.callbacks import Callbacks, HostServices, UnraisableHook
from filed.agents.caller import Caller
from filed.agents.descriptor import Descriptor
from filed.agents.load import Library
from filed.agents.options import Settings
from filed.agents.page import PageReader
from filed.agents.shape import SHAPE, HostShape
from filed.agents.waiting import Patience
from filed.errors import AgentError, ConfigError, FiledError, LocalProtocolError
from filed.process.state import ProcessState
from filed.process.status_page import Call, StatusPage

T = TypeVar("T", bound=ctypes.Structure)
AGENT_TIMEOUT_S = 600.0  # without any sign of life


@dataclass(frozen=True, slots=True)
class Saved:
    """What is known of a restore when it begins; "" and 0 for what is not.

    job, base_job: unique names: whose moment is restored, and what that was taken on. at: when it began, epoch seconds.
    part: some entries were chosen.  dry_run: it is only to be planned.  oldest_first: the Jobs come in that order, for sure.  entries, size: in all, of `jobs` Jobs.
    """

    job: str = ""
    base_job: str = ""
    at: int = 0
    part: bool = False
    oldest_first: bool = False
    dry_run: bool = False
    entries: int = 0
    size: int = 0
    jobs: int = 0

    @property
    def flags(self) -> int:
        known = (
            (self.part, BeginFlag.PART),
            (self.oldest_first, BeginFlag.OLDEST_FIRST),
            (self.dry_run, BeginFlag.DRY_RUN),
        )
        return sum(flag for is_so, flag in known if is_so)


@dataclass(frozen=True, slots=True)
class Begin:
    """Why a Job runs, as `begin` tells the agent.

    flags: BeginFlag. since: (seconds, nanoseconds), advisory; base_job is the identity. state: what this agent sealed in base_job, with
    its format. fileset: this instance's lines (`FileSet.lines()`). where: restore: trusted root, b"" = as saved.
    keep_from: the lowest watermark that a Job may still need, 0: not known. saved: of a restore. browse: the only directory to list.
    """

    kind: Kind
    level: Level = Level.NONE
    state_why: StateWhy = StateWhy.NONE
    flags: int = 0
    since: tuple[int, int] = (0, 0)
    job: str = ""
    base_job: str = ""
    state: bytes = b""
    state_format: int = 0
    fileset: bytes = b""
    where: bytes = b""
    keep_from: int = 0
    saved: Saved = Saved()
    browse: bytes | None = None


class Agent:
    """A context manager: `with Agent(...) as agent:` creates and configures, leaving destroys.

    settings: from `check_options`. cancel_pipe: a descriptor that becomes readable
    when a cancel is asked for. clock: monotonic seconds. All on one thread, the job thread.
    lost: which file of the host's has lost its descriptor, "" for none; asked after pages and streams of a backup.
    shape, callbacks: what `filed agent check` varies: the host's sizes, and who makes its tables.
    """

    def __init__(
        self,
        library: Library,
        services: HostServices,
        status_page: StatusPage,
        settings: Settings = Settings(),  # noqa: B008  frozen
        *,
        cancel_pipe: int | None = None,
        timeout_s: float = AGENT_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
        shape: HostShape = SHAPE,
        callbacks: Callable[..., Callbacks] = Callbacks,
        lost: Callable[[], str] = str,
    ) -> None:
        self.library = library
        self.version = shape.version or library.version
        self.status_page = status_page
        self._services, self._cancel_pipe, self._timeout_s, self._clock = services, cancel_pipe, timeout_s, clock
        self._settings, self._shape, self._make_table, self._lost = settings, shape, callbacks, lost
        self._address = 0
        self._streams: BpStreams | None = None
        self._phases: BpPhases | None = None
        self._plan: BpPlan | None = None
        self._job: AgentJob | None = None
        self._open = ExitStack()
        self._tables: list[Callbacks] = []
        self._callbacks = self._table(in_job=False)
        self.caller = self._last_caller = Caller(library, status_page, self._callbacks)
        self._process_state = self._look()

    @property
    def descriptor(self) -> Descriptor:
        return self.library.descriptor

    @property
    def label(self) -> str:
        """Id and version, for people."""
        return self.library.descriptor.label

    @property
    def answer_to_fault(self) -> int | None:
        """What the call of its last Job returned in which a callback of the host failed; None: none did."""
        return self._last_caller.answer_to_fault

    @property
    def address(self) -> int:
        """Its bp_agent; 0 when there is none."""
        return self._address

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.enter_context(UnraisableHook(self._record_fault, self._record_exception))
            undo.callback(self._destroy)
            self._create()
            api, call = self.library.api, self.caller.call
            self._streams = self._extension(api, STREAMS_1, BpStreams)
            self._phases = self._extension(api, PHASES_1, BpPhases)
            self._plan = self._extension(api, PLAN_1, BpPlan)
            for key, value in self._settings.options:
                if not api.option:
                    raise AgentError(self.label, "option", Status.E_UNSUPPORTED, f"it takes no options, given: {key}")
                call(Call.option, api.option, self._address, _bytes(key), _bytes(value))
            if api.ready:
                call(Call.ready, api.ready, self._address)
            self.check_process_state("ready")
            self._open = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._open.close()
        except AgentError as second:
            if error is None:
                raise
            error.add_note(str(second))  # it does not hide what went wrong first

    def begin(self, why: Begin) -> AgentJob:
        """Starts a Job of this instance. Raises AgentError; code E_BASE: ask again without a state, or fail."""
        if self._job is not None and not self._job.ended:
            raise LocalProtocolError("begin: the agent's last Job has not ended")
        self._check_kind(why)
        if b"\0" in why.fileset + why.where:
            raise ConfigError("a FileSet or a Where with a NUL cannot be given to an agent, which would see half of it")
        callbacks = self._table(in_job=True)
        callbacks.state_allowed = why.kind == Kind.BACKUP
        callbacks.hold_allowed = why.kind == Kind.BACKUP and self._phases is not None
        state = ctypes.create_string_buffer(why.state, len(why.state)) if why.state else None
        saved = why.saved
        raw = BpBegin(
            ctypes.sizeof(BpBegin),
            why.kind,
            why.level,
            why.state_why,
            why.flags | saved.flags if self.version >= VERSION_1_1 else why.flags,
            why.state_format,
            BpTime(*why.since),
            why.job.encode(),
            why.base_job.encode(),
            ctypes.addressof(state) if state else None,
            len(why.state),
            why.fileset,
            why.where,
            why.keep_from,
            saved.job.encode(),
            saved.base_job.encode(),
            BpTime(saved.at),
            saved.entries,
            saved.size,
            saved.jobs,
            0,
            why.browse,
        )
        out = ctypes.c_void_p()
        whole = self._shape.memory(raw)
        caller = self._last_caller = Caller(self.library, self.status_page, callbacks, slot=self.caller.slot)
        try:
            caller.call(
                Call.begin,
                self.library.api.begin,
                self._address,
                callbacks.address,
                ctypes.addressof(whole),
                ctypes.addressof(out),
            )
        except FiledError as error:
            if caller.last_status == Status.OK and out.value:
                self._job_at(out.value, caller, callbacks, why.kind).abandon(error)
            raise
        if not out.value:
            caller.violated(Call.begin, "begin said OK and gave no job")
        self._job = self._job_at(out.value, caller, callbacks, why.kind)
        return self._job

    @property
    def plans(self) -> bool:
        """Can it say before a restore whether that can be done?"""
        return self._plan is not None

    @property
    def hold_s(self) -> int | None:
        """For how many seconds it bears to be prepared; 0: it does not say; None: it cannot be prepared."""
        return None if self._phases is None else self._phases.seconds

    def prepare(self) -> None:
        """It holds still until `release`, which follows whatever becomes of this."""
        assert self._phases is not None
        self._callbacks.hold_allowed = True
        self.caller.entry = b""
        self.caller.call(Call.prepare, self._phases.prepare, self._address)

    def release(self, when: Release, token: bytes = b"") -> None:
        """Also of a Job that was canceled. token: that the agent gave to `hold`, with LEFT."""
        assert self._phases is not None
        self._callbacks.hold_allowed = True
        self.caller.entry = b""
        function = self._phases.release
        self.caller.call_to_the_end(Call.release, function, self._address, when, token or None, len(token))

    def confirmed(self, job: str, state: bytes, state_format: int) -> None:
        """The earlier Job of that name counts: the agent may release what waited for it. Outside of Jobs."""
        if self.library.api.confirmed:
            self.caller.call(
                Call.confirmed, self.library.api.confirmed, self._address, job.encode(), state, len(state), state_format
            )

    def check_process_state(self, when: str) -> None:
        """Did the agent leave the process as it found it? Raises AgentError naming what it changed."""
        now = self._look()
        changed = self._process_state.difference(now)
        if changed:
            self._process_state = now  # said once
            self.caller.violated(when, f"it changed {changed} of the process")

    def _look(self) -> ProcessState:
        return ProcessState.now() if self._cancel_pipe is None else ProcessState.now((self._cancel_pipe,))

    def _table(self, *, in_job: bool) -> Callbacks:
        callbacks = self._make_table(
            self.label,
            self.version,
            self.status_page,
            self._services,
            secrets=self._settings.secrets,
            in_job=in_job,
            as_host=self.library.identity.taken_off if self.library.identity else nullcontext,
            shape=self._shape,
        )
        self._tables.append(callbacks)
        # Agents with stray threads use tables after their time; the memory must still be there then.
        self.library.kept.append(callbacks)
        return callbacks

    def _check_kind(self, why: Begin) -> None:
        about = self.descriptor
        able = about.can_restore if why.kind == Kind.RESTORE else about.can_backup
        if not able:
            raise AgentError(self.label, "begin", Status.E_UNSUPPORTED, f"it cannot do a {why.kind.name.lower()}")

    def _job_at(self, address: int, caller: Caller, callbacks: Callbacks, kind: Kind) -> AgentJob:
        return AgentJob(
            caller=caller,
            callbacks=callbacks,
            api=self.library.api,
            kind=kind,
            address=address,
            patience=Patience(self.status_page, self._timeout_s, self._cancel_pipe, self._clock),
            reader=PageReader(self.label, absolute=self.descriptor.names_are_absolute),
            check_process_state=self.check_process_state,
            lost=self._lost,
            shape=self._shape,
            version=self.version,
            streams=self._streams,
            plan=self._plan,
        )

    def _create(self) -> None:
        out = ctypes.c_void_p()
        self.caller.last_status = Status.E_SEQUENCE
        try:
            self.caller.call(Call.create, self.library.api.create, self._callbacks.address, ctypes.addressof(out))
        finally:
            self._address = out.value or 0 if self.caller.last_status == Status.OK else 0
        if not self._address:
            self.caller.violated(Call.create, "create said OK and gave no agent")

    def _extension(self, api: BpAgentApi, name: bytes, table: type[T]) -> T | None:
        """Our copy of an optional table of the agent; None when it has none. Raises AgentError for one that is not whole."""
        function = api.extension
        if self.version < VERSION_1_1 or not function:
            return None
        out = ctypes.c_void_p()
        try:
            self.caller.call(Call.extension, function, self._address, name, ctypes.addressof(out))
        except AgentError as error:
            if error.code != Status.E_UNSUPPORTED:
                raise
            return None
        if not out.value:
            return None
        size, known = ctypes.c_uint32.from_address(out.value).value, ctypes.sizeof(table)
        found = table.from_buffer_copy(ctypes.string_at(out.value, min(size, known)).ljust(known, b"\0"))
        calls = [field for field, kind, *_ in table._fields_ if hasattr(kind, "_argtypes_")]
        missing = next((call for call in calls if not getattr(found, call)), None)
        if missing is not None:
            self.caller.violated(Call.extension, f"its table {name.decode()} has no {missing}")
        return found

    def _destroy(self) -> None:
        address, self._address = self._address, 0
        if address:
            self.caller.call_void(Call.destroy, self.library.api.destroy, address)
        for callbacks in self._tables:
            if callbacks.exception:
                raise AgentError(self.label, Call.destroy.name, Status.E_FAIL, callbacks.exception)
            if callbacks.violation:
                self.caller.violated(Call.destroy, callbacks.violation)

    def _record_exception(self, exception: BaseException) -> None:
        self._tables[-1].record_exception(exception)

    def _record_fault(self, where: str, fault: BaseException) -> None:
        self._tables[-1].record_fault(where, fault)


def _bytes(text: str) -> bytes:
    """As it stood in the conf: what was no UTF-8 there came as surrogates."""
    return text.encode("utf-8", "surrogateescape")
