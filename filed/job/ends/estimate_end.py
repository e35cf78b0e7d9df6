"""What an estimate wants of its far end."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from filed.catalog import BaseRow
from filed.job.agents.base_states import Basis
from filed.job.select.chosen import Chosen
from filed.job.select.selection import Selection
from filed.storage import FileId


class EstimateEnd(Protocol):
    """Whose estimate it is, and what is known there of the Jobs before. scratch: None for that of temporary files."""

    job_id: int
    basis: Basis
    scratch: Path | None

    def selection(self, stack: ExitStack) -> Selection:
        """What would be sent, compared with what the base has."""

    def own_files(self) -> frozenset[FileId]:
        """As of a BackupEnd."""

    def line(self, item: Chosen, link: bytes) -> str | None:
        """Of the listing; None when nobody wants one (any more)."""

    def deleted_line(self, row: BaseRow) -> str | None:
        """Of what is gone since the base, likewise."""
