"""What Jobs that were killed have left in a directory of Volumes, taken back.

A Job that ends by itself takes back what it wrote. One that was killed leaves the Volumes it had filled: nobody
appends to a full Volume, so nobody would find out that there is nothing in it. One that was killed while it made a Volume leaves
an empty file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from filed.errors import VolumeError
from filed.process.system import open_file
from filed.storage.disk.tail import examine
from filed.storage.disk.volume_file import VolumeFile
from filed.volume import open_volume, parse_header
from filed.volume.block import BB03_HEADER_BYTES


def take_back(
    directory: Path, volumes: Iterable[str], dead: Collection[tuple[int, int]], report: Callable[[str], None]
) -> None:
    """Remove Volumes that hold nothing but a dead Job, and cut what it has written behind others.

    volumes: names of our own ones. dead: sessions that ended without being good; never that of a running Job.
    report: called with one line for each Volume. Costs one short read a Volume; where no session is dead, a look at its size. Raises nothing: what
    cannot be taken back stays.
    """
    made = [name for name in volumes if _made_for(directory / name, dead)]
    began_in = {previous for name in made for previous in _previous(directory / name, report)}
    # Where the Job began comes first, and what it made goes from the newest back: a kill here leaves what leads to the rest.
    for name in sorted(began_in.difference(made)):
        _take_back(directory / name, dead, report, made_for_it=False)
    for name in reversed(made):
        _take_back(directory / name, dead, report, made_for_it=True)


def _made_for(path: Path, dead: Collection[tuple[int, int]]) -> bool:
    """Whether the Volume was made for a dead Job: its label block has the Job's session, or it never got one.

    A Job that lives may have an empty Volume for a moment: whoever locks it first has it, and the other makes the next.
    """
    try:
        if not dead:
            return not path.stat(follow_symlinks=False).st_size
        fd = open_file(path)
        try:
            header = os.read(fd, BB03_HEADER_BYTES)
            return not header or parse_header(header).session in dead
        finally:
            os.close(fd)
    except (OSError, VolumeError):
        return False  # gone meanwhile, or for anyone who appends to say


def _previous(path: Path, report: Callable[[str], None]) -> set[str]:
    try:
        if not path.stat().st_size:
            return set()
        with open_volume(path) as reader:
            return {reader.label().previous} - {""}
    except FileNotFoundError:
        return set()
    except VolumeError as error:
        report(str(error))
        return set()


def _take_back(
    path: Path, dead: Collection[tuple[int, int]], report: Callable[[str], None], *, made_for_it: bool
) -> None:
    try:
        volume = VolumeFile.lock(path)
        if volume is None:
            return  # another Job has it, and has seen to it; or it is gone
        try:
            tail = examine(volume, lambda session: session not in dead)
            size = volume.size()
            if tail is None or (tail.end >= size and not (made_for_it and tail.unused)):
                return
            if made_for_it and tail.unused:
                report(f"Volume {volume.name} is removed: it held nothing but a Job that never ended")
                volume.remove()
            else:
                report(f"Volume {volume.name} was cut from {size} to {tail.end} bytes: {tail.cut}")
                volume.truncate(tail.end)
        finally:
            volume.close()
    except VolumeError as error:
        report(str(error))
