"""Which directories of Volumes this machine has used: their paths, ids and file systems, in a small file of the user's state.

A disk that is not mounted leaves an empty directory, or none. Filling that would look like a backup.
`$XDG_STATE_HOME/filed/storages.json`, else `~/.local/state/filed/storages.json`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filed.config.trust import why_not_trusted
from filed.process.system import lock_file, open_file


@dataclass(frozen=True, slots=True)
class Known:
    """id: of the storage.  filesystem: where it was, in words: `/dev/sdb1 (ext4) at /mnt/disk`."""

    id: str
    filesystem: str


def state_file() -> Path:
    base = os.environ.get("XDG_STATE_HOME", "")
    if sys.platform == "win32":
        home = Path(base or os.environ.get("LOCALAPPDATA", "~")).expanduser()
    else:
        home = Path(base) if base.startswith("/") else Path("~/.local/state").expanduser()
    return home / "filed" / "storages.json"


def recall(directory: Path) -> Known | None:
    """What is known of that directory; None when nothing is, or the file cannot be read, or others could have written it."""
    try:
        path = state_file()
        found = _parse(path.read_text()).get(_key(directory)) if _is_ours(path.parent) else None
    except (OSError, RuntimeError):  # RuntimeError: no home
        return None
    return found


def remember(directory: Path, storage_id: str) -> bool:
    """Note it. False when that cannot be written."""
    known = Known(storage_id, filesystem_of(directory))
    if recall(directory) == known:
        return True
    try:
        path = state_file()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _is_ours(path.parent):
            return False
        with _locked(path.with_suffix(".lock")):
            text = path.read_text() if path.exists() else ""
            entries = {**_parse(text), _key(directory): known}
            new = path.with_suffix(".new")
            new.write_text(
                json.dumps({key: {"id": one.id, "filesystem": one.filesystem} for key, one in entries.items()})
            )
            new.replace(path)
    except (OSError, RuntimeError):
        return False
    return True


def filesystem_of(directory: Path) -> str:
    """The source, kind and mount point of the file system that a path is on; "" where the system does not say."""
    if sys.platform == "win32":
        return directory.resolve().anchor
    try:
        device = directory.stat().st_dev
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in reversed(lines):
        fields, _, rest = line.partition(" - ")
        words = fields.split()
        if words[2] == number:
            kind, source = rest.split()[:2]
            return f"{source} ({kind}) at {words[4]}"
    return ""


def _is_ours(directory: Path) -> bool:
    """Whether nobody else could have put a link there: sudo may keep the HOME of the user who called it."""
    return not why_not_trusted(directory, directory.stat())


def _key(directory: Path) -> str:
    return os.path.realpath(directory)


def _parse(text: str) -> dict[str, Known]:
    """Nothing for a file that is damaged: it is an aid, and is made again."""
    try:
        found = json.loads(text)
        return {str(key): Known(str(one["id"]), str(one["filesystem"])) for key, one in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = open_file(path, os.O_RDWR | os.O_CREAT)
    try:
        lock_file(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)
