"""Where Volumes may be written: not at an address that is no directory, not below an unmounted disk, not into somebody else's directory."""

from __future__ import annotations

import re
from pathlib import Path

from filed.cli.known_storages import Known, recall, remember
from filed.errors import ConfigError, VolumeError
from filed.storage import VolumeDirectory
from filed.storage.disk import storage_id
from filed.storage.disk.owner import refuse_others

_ADDRESS = re.compile(r"[\w.+-]+(@[\w.+-]+)?:.*", re.DOTALL)


def refuse_address(path: Path) -> None:
    """Raises ConfigError for `sftp:host:/x`, `s3:bucket`, `host:/x`: an address, of a kind that nobody here serves."""
    if not path.is_absolute() and _ADDRESS.fullmatch(str(path)) and not path.exists():
        raise ConfigError(
            f"{path}: filed writes to directories only, not to such an address; mount it, and give the directory"
            f" (./{path} for a directory of that name)"
        )


def check_known(directory: Path) -> None:
    """Raises VolumeError when this machine has used the directory and what it wrote there is gone, or when it is somebody else's."""
    refuse_others(directory)
    known = recall(directory)
    if known is None:
        return
    found = storage_id.id_of(directory)
    if found == known.id or (not found and storage_id.looks_used(directory)):
        return
    if not directory.exists():
        what = "does not exist"
    elif found:
        what = "is another storage than the one"
        raise VolumeError(
            f"{directory} {what} that was used here before{_where(known)}. Is the right disk mounted? If it is:"
            f" filed init -s {directory}"
        )
    else:
        what = "holds no backups"
    raise VolumeError(
        f"{directory} {what}, and was used here before{_where(known)}. Is the disk mounted? If the backups are lost, begin"
        f" anew with: filed init -s {directory}"
    )


def place_for_backup(directory: Path) -> bool:
    """See to it that a backup may go there. True when the directory was made just now. Raises VolumeError."""
    check_known(directory)
    made = not directory.exists() and storage_id.make(directory)
    if not made and not directory.is_dir():
        raise VolumeError(f"{directory} is not a directory")
    if not storage_id.looks_used(directory) and not VolumeDirectory.open(directory).volumes():
        holds = "is empty" if not any(directory.iterdir()) else "holds other files"
        raise VolumeError(
            f"{directory} {holds} and is no storage of filed yet. Is the disk mounted? If it is the right place:"
            f" filed init -s {directory}"
        )
    _note(directory)
    return made


def init_storage(directory: Path) -> str:
    """Make the directory a storage, or take the one that is there for the right one. Returns its id."""
    refuse_others(directory)
    if not directory.exists():
        storage_id.make(directory)
    return _note(directory)


def _note(directory: Path) -> str:
    known = recall(directory)
    found = storage_id.give_id(directory, known.id if known is not None and storage_id.looks_used(directory) else "")
    remember(directory, found)
    return found


def _where(known: Known) -> str:
    return f", on {known.filesystem}" if known.filesystem else ""
