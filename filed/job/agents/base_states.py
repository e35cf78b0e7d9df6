"""What an agent is told when its part of a Job begins: the level, the base Job, and the state that it sealed in that."""

from __future__ import annotations

from dataclasses import dataclass, replace

from filed.agents import Agent, Begin, BeginFlag, Kind, StateWhy
from filed.agents import Level as AgentLevel
from filed.catalog import Catalog, Level

_LEVELS = {
    Level.FULL: AgentLevel.FULL,
    Level.DIFFERENTIAL: AgentLevel.DIFFERENTIAL,
    Level.INCREMENTAL: AgentLevel.INCREMENTAL,
}


@dataclass(frozen=True, slots=True)
class Found:
    """What an instance gets with its state. confirmed: it knows that the base Job counts.

    keep_from: the lowest watermark of its states that a Job may still name; 0: not known.  watermark: of this one.
    """

    why: StateWhy
    blob: bytes = b""
    format: int = 0
    confirmed: bool = False
    keep_from: int = 0
    watermark: int = 0


class BaseStates:
    """The states of one Job's base.

    catalog: None when there is none yet, in an estimate.  base_job: its unique name; "" when there is one that nobody named, None for a Full.  director: whose Jobs they are, "" our own.
    """

    def __init__(self, catalog: Catalog | None, base_job: str | None, fileset_digest: str, director: str = "") -> None:
        self._catalog, self._base, self._digest, self._director = catalog, base_job, fileset_digest, director

    @property
    def wanted(self) -> bool:
        """Whether there is a base: a Full wants no states."""
        return self._base is not None

    def find(self, agent: str, instance: str) -> Found:
        """What this instance sealed in the base Job; a Full wants nothing."""
        if self._catalog is None:
            return Found(StateWhy.NONE if self._base is None else StateWhy.FIRST)
        keep_from = self._catalog.keep_from(agent, instance, director=self._director)
        if self._base is None:
            return Found(StateWhy.NONE, keep_from=keep_from)
        found = self._catalog.find_state(self._base, agent, instance, self._digest, director=self._director)
        if found.state is None:
            return Found(StateWhy(int(found.why)), keep_from=keep_from)
        state = found.state
        return Found(StateWhy.FOUND, state.blob, state.format, found.confirmed, keep_from, state.watermark)

    def confirm(self, agent: Agent, instance: str, found: Found) -> None:
        """Tell an instance, once, that the base Job counts: it may release what waited for that. Raises AgentError."""
        if self._catalog is not None and found.why is StateWhy.FOUND and not found.confirmed:
            agent.confirmed(self.base_job, found.blob, found.format)
            self._catalog.mark_confirmed(self.base_job, agent.descriptor.id, instance, director=self._director)

    @property
    def base_job(self) -> str:
        """The unique name of the base Job; "" for a Full, or when nobody named it."""
        return self._base or ""


def without_state(why: Begin) -> Begin:
    """The same again for an agent that cannot continue from its base."""
    return replace(why, state_why=StateWhy.GAP, state=b"", state_format=0)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a backup or an estimate tells each of its agents.

    job: the unique name.  since: epoch seconds, 0 for a Full.  accurate: what is gone will be found.
    """

    kind: Kind
    job: str
    level: Level
    since: int
    accurate: bool
    states: BaseStates

    def begin(self, found: Found, fileset: bytes) -> Begin:
        """found: the state of the instance.  fileset: its lines."""
        return Begin(
            kind=self.kind,
            level=_LEVELS[self.level],
            state_why=found.why,
            flags=BeginFlag.ACCURATE if self.accurate else 0,
            since=(self.since, 0),
            job=self.job,
            base_job=self.states.base_job,
            state=found.blob,
            state_format=found.format,
            fileset=fileset,
            keep_from=found.keep_from,
        )
