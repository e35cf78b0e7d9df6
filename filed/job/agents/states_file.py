"""Where the states of agents are sealed for Directors' Jobs: one file in the working directory.

It is small, and worth nothing but what it saves: an agent without its state sends everything it has, which restores correctly. So a
file that is damaged costs one such Job, not the administrator's night: it is set aside, told, and another is begun.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from filed.catalog import Catalog
from filed.errors import CatalogDamagedError, CatalogError
from filed.job.context import Messages
from filed.job.description import DirectorJob

STATES_FILE = "filed-states.sqlite"


def states_path(work: Path) -> Path:
    return work / STATES_FILE


def open_states(messages: Messages, work: Path) -> Catalog:
    """To seal in. Raises CatalogError for what a person has to see to: no space, no right, a file of a newer filed."""
    path = states_path(work)
    try:
        return _opened(path)
    except CatalogDamagedError as damaged:
        aside = _set_aside(path)
        messages.warning(
            f"{damaged}; it is set aside as {aside.name}: agents find no state today, and save all they have"
        )
    return _opened(path)


def known_states(messages: Messages, work: Path) -> Catalog | None:
    """To look at, for an estimate: it leaves what is damaged to the next backup."""
    path = states_path(work)
    if not path.exists():
        return None
    try:
        return Catalog.read(path)
    except CatalogError as error:
        messages.warning(f"{error}; estimated without")
        return None


def mark_restored(messages: Messages, who: DirectorJob, agent: str) -> None:
    """What the agent's states refer to is another past from now on; its next Job is told so, even if this one fails."""
    path = states_path(who.work)
    if not path.exists():
        return
    try:
        with Catalog.open(path) as catalog:
            catalog.mark_restored(agent, director=who.director)
    except CatalogError as error:
        messages.warning(f"{error}; run a Full next: an Incremental of agent {agent} would build on what is no more")


def _opened(path: Path) -> Catalog:
    with ExitStack() as undo:
        catalog = undo.enter_context(Catalog.open(path, create=True))
        for wrong in catalog.check():
            raise CatalogDamagedError(f"{path} is damaged ({wrong})")
        undo.pop_all()
    return catalog


def _set_aside(path: Path) -> Path:
    """With its log, which belongs to it. Anyone who has it open goes on with it, and loses what it seals there."""
    aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        try:
            part.replace(aside.with_name(aside.name + ending))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CatalogError(f"{part} is damaged and cannot be set aside: {error.strerror}") from error
    return aside
