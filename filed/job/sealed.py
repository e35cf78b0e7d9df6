"""The states that agents keep from Job to Job: found by the base Job's name, sealed with the Job that they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from filed.agents import Begin, StateWhy
from filed.catalog import Catalog
from filed.job.levels import Base


@dataclass(frozen=True, slots=True)
class Found:
    """What an instance is told about its state."""

    why: StateWhy
    blob: bytes = b""
    format: int = 0


class Sealed:
    """The states of one Job's base."""

    def __init__(self, catalog: Catalog, base: Base, fileset_digest: str) -> None:
        self._catalog, self._base, self._digest = catalog, base.base, fileset_digest

    def find(self, agent: str, instance: str) -> Found:
        """What this instance sealed in the base Job; a Full wants nothing."""
        if self._base is None:
            return Found(StateWhy.NONE)
        found = self._catalog.find_state(self._base.job, agent, instance, self._digest)
        if found.state is None:
            return Found(StateWhy(int(found.why)))
        return Found(StateWhy.FOUND, found.state.blob, found.state.format)

    @property
    def base_job(self) -> str:
        """The unique name of the base Job; "" for a Full."""
        return self._base.job if self._base is not None else ""


def without_state(why: Begin) -> Begin:
    """The same again for an agent that cannot continue from its base."""
    return replace(why, state_why=StateWhy.GAP, state=b"", state_format=0)
