"""A dry run of a backup into a directory of Volumes. It writes nothing there: neither need exist yet, directory or catalog."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

from filed.agents import Kind
from filed.catalog import BaseRow, Catalog, Level
from filed.job.agents.base_states import BaseStates, Basis
from filed.job.context import JobContext
from filed.job.description import DryRun
from filed.job.select.chosen import Chosen
from filed.job.select.level import Base, choose_base, selection_upon
from filed.job.select.selection import Everything, Selection
from filed.storage import FileId, VolumeDirectory


class VolumesEstimate:
    """An EstimateEnd. Its lines are like those of `filed diff`: + new, M changed, - deleted, then the path."""

    job_id = 0
    scratch: Path | None = None

    def __init__(self, job: DryRun, context: JobContext, stack: ExitStack) -> None:
        self._backup = job.backup
        self._catalog: Catalog | None = None
        self._own: frozenset[FileId] = frozenset()
        base = Base(Level.FULL, None, 0)
        places = job.places
        if places.volumes.is_dir():
            volumes = VolumeDirectory.open(places.volumes)
            self._own = volumes.own_files()()
            if places.catalog.exists() or volumes.volumes():
                self._catalog = stack.enter_context(Catalog.read(places.catalog))
                base = choose_base(self._catalog, volumes, job.backup, context.messages, time.time())
        self._base = base
        states = BaseStates(
            self._catalog, base.base.job if base.base is not None else None, job.backup.fileset.digest()
        )
        self.basis = Basis(Kind.ESTIMATE, job.backup.name, base.level, base.since, accurate=True, states=states)

    def selection(self, stack: ExitStack) -> Selection:
        if self._catalog is None:
            return Everything()
        return selection_upon(self._catalog, self._base, self._backup, stack)

    def own_files(self) -> frozenset[FileId]:
        return self._own

    def line(self, item: Chosen, link: bytes) -> str | None:  # noqa: ARG002  the Protocol's signature
        return f"{'+' if item.row is None else 'M'} {os.fsdecode(item.path)}"

    def deleted_line(self, row: BaseRow) -> str | None:
        return f"- {os.fsdecode(row.path)}"
