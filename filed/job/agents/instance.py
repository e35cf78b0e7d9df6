"""One instance of an agent in a Job that lists, and the order of its calls: begin, then its pages, commit, end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from filed.agents import (
    Agent,
    AgentJob,
    Attr,
    Begin,
    Entry,
    EntryFlag,
    Outcome,
    Severity,
    StateWhy,
    Status,
    Verdict,
)
from filed.catalog import SealedState, fits
from filed.errors import AgentError, ItemError, printable
from filed.fileset import FileSet, Matcher
from filed.job.agents.base_states import BaseStates, Found, without_state
from filed.job.context import Cancellation, Messages
from filed.process.outcome import Severity as JobSeverity

_SEVERITIES = {
    Severity.DEBUG: JobSeverity.DEBUG,
    Severity.INFO: JobSeverity.INFO,
    Severity.WARNING: JobSeverity.WARNING,
    Severity.ERROR: JobSeverity.ERROR,
}
WALKER = "filesystem"
NODUMP = int(Attr.NODUMP)
SELECTED, TOP = (
    int(EntryFlag.SELECTED),
    int(EntryFlag.TOP),
)  # plain ints: an IntFlag in `&` costs a microsecond an entry


class Services:
    """What the host does for one instance: messages, verdicts, its pending state."""

    def __init__(
        self,
        messages: Messages,
        name: str,
        matcher: Matcher | None,
        expect: Callable[[int, int], None] = lambda _entries, _size: None,
    ) -> None:
        """expect: told what the instance expects to list now, entries and bytes."""
        self._messages, self._name, self._matcher = messages, name, matcher
        self.expect = expect
        self.keep: Callable[[bytes], None] = lambda _token: None  # of what it holds: durable when it returns
        self.state: tuple[bytes, int] | None = None
        self.mark = 0  # how far back the state reaches; 0: it does not say
        self.warned = False  # the agent has said something that a person has to know

    def message(self, severity: Severity, text: str) -> None:
        self.warned = self.warned or severity >= Severity.WARNING
        self._messages.about_entry(_SEVERITIES[severity], f"{self._name}: {text}")

    def match(self, path: bytes, entry: Entry) -> int:
        if self._matcher is None:
            return Verdict.NONE
        top = bool(entry.flags & TOP)
        nodump = bool(entry.attrs & NODUMP)
        fs_type = entry.fs_type or None
        verdict, text = self._matcher.directory(path, entry.dev, fs_type, nodump=nodump, top=top)
        if text:
            self._messages.info(text)
        return verdict

    def put_state(self, state: bytes, state_format: int) -> bool:
        if not fits(SealedState(self._name, "", state_format, state)):
            return False
        self.state = (state, state_format)
        return True

    def watermark(self, position: int) -> None:
        self.mark = position

    def hold(self, token: bytes) -> None:
        self.keep(token)

    def secret(self, name: str) -> None:
        """Secrets are options of the agent, which it may ask for by key; there are no others."""


@dataclass(slots=True)
class Lister:
    """A begun instance, as those see it who take its entries.

    command: the text of its plugin-name records, b"" for plain files.  prefixes: all its names are at or below these.
    shared: other instances of the Job may list names that begin so.
    walks: our own, which lists what a walk meets: each name once.
    continued: it goes on from a state of its own.  has_warned: whether a warning or an error of it is out.
    unsaved: the first entry that it chose by its own numbers and that could not be saved; b"": there is none.
    """

    job: AgentJob
    matcher: Matcher
    command: bytes
    prefixes: tuple[bytes, ...]
    shared: tuple[bytes, ...] = ()
    walks: bool = False
    continued: bool = False
    has_warned: Callable[[], bool] = lambda: True
    unsaved: bytes = b""

    def not_saved(self, listed: Entry, path: bytes) -> None:
        """An entry, as its page had it, failed."""
        if listed.flags & SELECTED and not self.unsaved:
            self.unsaved = path


@dataclass(slots=True)
class Instance:
    """One instance of an agent, made and ready. command: of its plugin-name records, b"" for plain files.

    number: 1 of the first with this agent and line, 2 of the next.  shared: as in its Lister.
    """

    agent: Agent
    services: Services
    matcher: Matcher
    fileset: FileSet
    line: str  # the Plugin line; "" for File lines
    command: bytes
    number: int = 1
    shared: tuple[bytes, ...] = ()
    job: AgentJob | None = None
    base_state: SealedState | None = None  # that its Job was begun with
    base_watermark: int = 0
    unsaved: bytes = b""  # the first entry chosen by its own numbers that could not be saved

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """All its names are at or below these: its File lines, or what the agent claims."""
        files = tuple(path for include in self.fileset.includes for path in include.files)
        return files or self.agent.descriptor.claims

    def lister(self) -> Lister:
        assert self.job is not None
        walks = self.agent.descriptor.id == WALKER
        return Lister(
            self.job,
            self.matcher,
            self.command,
            self.prefixes,
            self.shared,
            walks,
            continued=self.base_state is not None,
            has_warned=lambda: self.services.warned,
        )

    @property
    def key(self) -> str:
        """What its states are kept under, beside the agent."""
        return self.line if self.number == 1 else f"{self.line}#{self.number}"

    def find_state(self, states: BaseStates) -> Found:
        """What it sealed in the base Job. None is of use where names are shared: what one instance calls gone, another may still take."""
        if self.shared and states.wanted:
            return Found(StateWhy.GAP)
        found = states.find(self.agent.descriptor.id, self.key)
        self.base_watermark = found.watermark
        return found

    def state(self, blob: bytes, number: int) -> SealedState:
        """One of its states. number: the agent's own, of the format."""
        return SealedState(self.agent.descriptor.id, self.key, number, blob)

    @property
    def put_state(self) -> SealedState | None:
        """What the agent has put."""
        if self.services.state is None or self.shared:
            return None
        return replace(self.state(*self.services.state), watermark=self.services.mark)


def states_to_seal(instances: Sequence[Instance], messages: Messages) -> list[SealedState]:
    """What the agents have put; of one whose entries were not all saved, what its Job was begun with.

    A newer state would say that they were, and no Incremental would list them again.
    """
    found = []
    for instance in instances:
        state = instance.put_state
        if instance.job is not None and instance.job.gap:
            messages.warning(
                f"agent {instance.agent.label}: something may have been missed while it listed; no state of it is kept, so"
                " that the next backup lists everything"
            )
            continue
        if state is not None and instance.unsaved and state != instance.base_state:
            state = instance.base_state
            kept = "the state of its previous backup is kept" if state else "no state of it is kept"
            messages.warning(
                f"agent {instance.agent.label}: {printable(instance.unsaved)} could not be saved; {kept}, so that the"
                " next backup lists it again"
            )
        if state is not None:
            found.append(state)
    return found


def begin(instance: Instance, why: Begin, messages: Messages, cancellation: Cancellation) -> AgentJob:
    """Begin one instance's part of a backup; when it cannot continue from its base, again without a state.

    A superset in an Incremental restores correctly, so the level stays and the Job is warned.
    """
    try:
        instance.job = instance.agent.begin(why)
    except AgentError as error:
        return begin_again(instance, why, error, messages, cancellation)
    if why.state_why == StateWhy.FOUND:
        state = instance.state(why.state, why.state_format)
        instance.base_state = replace(state, watermark=instance.base_watermark)
    else:
        instance.base_state = None
    cancellation.on_cancel(instance.job)
    return instance.job


def begin_again(
    instance: Instance, why: Begin, error: AgentError, messages: Messages, cancellation: Cancellation
) -> AgentJob:
    """The same without a state, when `error` says that the agent cannot continue from it; else raises `error`."""
    if error.code != Status.E_BASE or why.state_why == StateWhy.GAP:
        raise error
    if instance.job is not None:
        instance.job.end(Outcome.FAILED)
    instance.services.state = instance.base_state = None
    messages.warning(f"{error}; falling back to a full backup of this agent's data")
    instance.job = instance.agent.begin(without_state(why))
    cancellation.on_cancel(instance.job)
    return instance.job


def commit(instance: Instance, messages: Messages) -> None:
    """The point of no return of one agent. Its error is reported and counted; the data is good."""
    assert instance.job is not None
    try:
        instance.job.commit()
    except (AgentError, ItemError) as error:
        messages.error(f"{error}; the data saved is good")
    try:
        instance.job.end(Outcome.DONE)
    except AgentError as error:
        messages.error(f"{error}; the data saved is good")
