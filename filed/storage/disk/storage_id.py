"""What makes a directory a storage: its id, in the file `.storage`. A disk that is not mounted leaves an empty directory without one.

filed 1 storage 6d1c7a52-8d2b-4c3f-9d53-7d0d3f0a9f5e
"""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path

from filed.catalog import CATALOG_FILE
from filed.process.system import open_file, sync_directory
from filed.storage.disk.sequence import FILE_NAME as SEQUENCE_FILE
from filed.storage.disk.volume_file import VOLUME_MODE, explain

ID_FILE = ".storage"
DIRECTORY_MODE = 0o700
_LINE = re.compile(rb"filed 1 storage ([0-9a-f-]{36})\n")
_LINE_BYTES = 53


def id_of(directory: Path) -> str:
    """The id of a storage, "" for a directory without one. Raises VolumeError."""
    path = directory / ID_FILE
    try:
        with os.fdopen(open_file(path), "rb") as file:
            found = _LINE.fullmatch(file.read(_LINE_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise explain("the id of the directory of Volumes cannot be read", path, error) from error
    return found[1].decode() if found else ""


def looks_used(directory: Path) -> bool:
    """Whether filed has written here, also an older one that gave no ids."""
    return any((directory / name).exists() for name in (ID_FILE, CATALOG_FILE, SEQUENCE_FILE))


def give_id(directory: Path, storage_id: str = "") -> str:
    """Make the directory a storage; one that has an id keeps it. Returns the id. Raises VolumeError."""
    path = directory / ID_FILE
    try:
        if path.exists() and not id_of(directory):  # cut short by a crash
            path.unlink()
        descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, VOLUME_MODE)
    except FileExistsError:
        return id_of(directory)
    except OSError as error:
        raise explain("no id can be given to the directory of Volumes", path, error) from error
    new = storage_id or str(uuid.uuid4())
    try:
        os.write(descriptor, b"filed 1 storage %s\n" % new.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(directory)
    return new


def make(directory: Path) -> bool:
    """A new storage with its id, there at once and whole. False when somebody else was faster. Raises VolumeError."""
    scratch = directory.with_name(f".{directory.name[:200]}.filed-new-{os.getpid()}")
    try:
        directory.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        scratch.mkdir(mode=DIRECTORY_MODE)
        give_id(scratch)
        try:
            if directory.exists():
                raise FileExistsError
            scratch.rename(directory)
        except OSError:
            (scratch / ID_FILE).unlink()
            scratch.rmdir()
            if directory.exists():
                return False
            raise
        sync_directory(directory.parent)
    except OSError as error:
        raise explain("the directory of Volumes cannot be made", directory, error) from error
    return True
