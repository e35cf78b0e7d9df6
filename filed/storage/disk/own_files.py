"""The files of a directory of Volumes that a backup of the tree around it must not save: by device and inode, whatever path leads there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from filed.storage.disk.volume_file import explain
from filed.storage.interface import FileId

OURS = ("catalog.sqlite", ".sequence", ".storage", ".filed-")  # how their names begin, beside the Volumes


class OwnFiles:
    """volumes: the names of all Volumes in `directory` at the moment."""

    def __init__(self, directory: Path, volumes: Callable[[], list[str]]) -> None:
        self._directory = directory
        self._volumes = volumes
        self._changed_at = -1
        self._found: frozenset[FileId] = frozenset()

    def now(self) -> frozenset[FileId]:
        """Collected again when names in the directory have changed: a Job makes Volumes while it runs."""
        changed_at = self.changed_at()
        if changed_at != self._changed_at:
            self._changed_at = changed_at
            volumes = set(self._volumes())
            with os.scandir(self._directory) as entries:
                found = [entry for entry in entries if entry.name in volumes or entry.name.startswith(OURS)]
            ids = [entry.stat(follow_symlinks=False) for entry in found if entry.is_file(follow_symlinks=False)]
            self._found = frozenset((one.st_dev, one.st_ino) for one in ids)
        return self._found

    def changed_at(self) -> int:
        """When a name in the directory changed last."""
        try:
            return self._directory.stat().st_mtime_ns
        except OSError as error:
            raise explain("the directory of Volumes cannot be read", self._directory, error) from error

    def made(self, file: FileId, as_it_was: int) -> None:
        """The Job itself has made a Volume, which is no reason to list the directory again: a Job may make thousands.

        as_it_was: `changed_at` before that.
        """
        if as_it_was == self._changed_at:
            self._found |= {file}
            self._changed_at = self.changed_at()
