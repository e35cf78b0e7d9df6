"""A directory of Volumes: `DIR/Vol-0001` and so on, each readable by Bacula's own programs."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import time
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path

from filed import __version__
from filed.catalog import JobMedia
from filed.errors import VolumeError
from filed.process.system import open_file, sync_directory
from filed.storage.disk.append import VolumeAppendSession
from filed.storage.disk.dead import take_back
from filed.storage.disk.own_files import OwnFiles
from filed.storage.disk.owner import refuse_others
from filed.storage.disk.read import VolumeReadSession, check_volume_name, read_records
from filed.storage.disk.scan import scan
from filed.storage.disk.sequence import Sequence
from filed.storage.disk.tail import LABEL_PROGRAM, examine
from filed.storage.disk.volume_file import VolumeFile, explain
from filed.storage.interface import FileId, JobIdentity, ScannedSession
from filed.volume import (
    NO_KEYS,
    FileIndexes,
    FileRanges,
    LabelType,
    OnDamage,
    Session,
    VolumeKeys,
    VolumeLabel,
    check_name,
    open_volume,
    pack_volume_label,
    parse_header,
    single_record_block,
)
from filed.volume.block import BB03_HEADER_BYTES, DEFAULT_BLOCK_BYTES

DIRECTORY_MODE = 0o700
PRIVATE_FILES = ".filed-*"  # they lose their names at once, and go with their process
STALE_S = 3600
NEVER_OPENED = ".sqlite"
"""In the names of a catalog's files. When a process closes any descriptor of a file, it loses all its locks on it (POSIX),
also those SQLite holds: the next Job would then cut the log's index from under the one that runs."""

_OUR_NAME = re.compile(r"Vol-(\d{4,9})")


def _quiet(_text: str) -> None:
    """Report to nobody."""


class VolumeDirectory:
    """A Repository: Volumes to append to and to read from. Many processes may use one directory at once."""

    def __init__(self, path: Path, host: str, clock: Callable[[], float], keys: VolumeKeys) -> None:
        self.path, self._keys = path, keys
        self._host = host
        self._clock = clock
        self._sequence = Sequence(path)
        self._highest: int | None = (
            None  # number of a Volume that was here when the directory was last listed, or was made since
        )
        self._own = OwnFiles(path, self.volumes)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        host: str = "",
        clock: Callable[[], float] = time.time,
        keys: VolumeKeys = NO_KEYS,
    ) -> VolumeDirectory:
        """host: for labels; this machine's name by default. keys: of encrypted Volumes. Raises VolumeError, also when others own it or can write there."""
        directory = Path(path)
        try:
            if create and not directory.exists():
                directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
                sync_directory(directory.parent)
            if not directory.is_dir():
                raise VolumeError(
                    f"{directory} is not a directory of Volumes; give the one that backups were written to"
                )
            refuse_others(directory)
        except OSError as error:
            raise explain("the directory of Volumes cannot be used", directory, error) from error
        return cls(directory, host or platform.node(), clock, keys)

    def volumes(self) -> list[str]:
        """Names of all Volumes here, whoever wrote them, in the order of their names. Raises VolumeError."""
        try:
            with os.scandir(self.path) as entries:
                names = [
                    entry.name
                    for entry in entries
                    if _may_be_opened(entry.name) and entry.is_file(follow_symlinks=False)
                ]
        except OSError as error:
            raise explain("the directory of Volumes cannot be read", self.path, error) from error
        return sorted((name for name in names if _OUR_NAME.fullmatch(name) or self._is_volume(name)), key=_order)

    def own_files(self) -> Callable[[], frozenset[FileId]]:
        """What a backup into this directory does not save."""
        return self._own.now

    def size_of(self, name: str) -> int | None:
        """How long that Volume is; None when it is not there."""
        try:
            return (self.path / name).stat(follow_symlinks=False).st_size
        except OSError:
            return None

    def volume(self, name: str) -> FileRanges:
        check_volume_name(name)
        return FileRanges(self.path / name)

    def append_session(
        self,
        job: JobIdentity,
        max_volume_bytes: int = 0,
        *,
        session: Session | None = None,
        begin_volume: bool = False,
        finished: Callable[[Session], bool] | None = None,
        report: Callable[[str], None] = _quiet,
    ) -> VolumeAppendSession:
        """Begin a Job's session in a Volume that has room and is nobody else's now, else in a new one.

        max_volume_bytes: a Volume does not grow beyond that; 0 for no limit.
        session: the pair that names the Job's records, when a catalog gave it one; else one nobody had before.
        begin_volume: take no Volume that holds another Job.
        finished: does the catalog know this session as a Job that ended? Asked before the blocks of a session which has no end
            in its Volume are cut off.
        report: called with one line for each thing a person should know (a tail cut off, a damaged Volume left alone).
        Raises VolumeError.
        """
        for what, name in (("Job", job.job), ("Job", job.name), ("Client", job.client), ("FileSet", job.file_set)):
            check_name(what, name)
        session = session or self._sequence.next_session(self._clock())
        volume, unused, created = self._room(session, max_volume_bytes, finished, report, begin_volume=begin_volume)
        return VolumeAppendSession(
            volume,
            session,
            job,
            unused=unused,
            created=created,
            max_volume_bytes=max_volume_bytes,
            next_volume=self._new_volume,
            clock=self._clock,
            report=report,
        )

    def read(
        self,
        media: Iterable[JobMedia],
        session: Session,
        selection: FileIndexes | None = None,
        *,
        on_damage: OnDamage | None = None,
    ) -> VolumeReadSession:
        """The records of a Job without its labels, those of the selected FileIndexes only, in the order of writing.

        media: where they are, in the order of writing, as `finish` returned it or `scan` found it.
        on_damage: None is strict, the first damaged, missing or wrong Volume raises VolumeError. Else it is told of each
            damage, in order with the records, and all other records come.
        Takes no lock. Record data may be a view; it stays valid, and keeps up to a megabyte alive.
        """
        return VolumeReadSession(
            lambda select: read_records(
                select, self.path, media, session, selection, on_damage=on_damage, keys=self._keys
            )
        )

    def scan(self, on_damage: OnDamage | None = None) -> list[ScannedSession]:
        """Every session in every Volume here, oldest first, dead ones (without end) too. Without `on_damage` strict."""
        return scan(self.path, self.volumes(), on_damage, self._keys)

    def remove_stale(self) -> None:
        """Delete private files of processes that were killed in the moment between making and unnaming them."""
        for path in self.path.glob(PRIVATE_FILES):
            with contextlib.suppress(OSError):
                if path.stat(follow_symlinks=False).st_mtime < self._clock() - STALE_S:
                    path.unlink()

    def take_back(self, dead: Collection[tuple[int, int]], report: Callable[[str], None] = _quiet) -> None:
        """Remove what Jobs that were killed have left. dead: the sessions that ended without being good."""
        take_back(self.path, [name for name in self.volumes() if _OUR_NAME.fullmatch(name)], dead, report)

    def remove_volume(self, name: str) -> None:
        """Delete a Volume that no Job needs any more. Raises VolumeError, also when a Job is writing to it, and for a file without its label."""
        check_volume_name(name)
        path = self.path / name
        volume = VolumeFile.lock(path)
        if volume is None:
            if path.exists():
                raise VolumeError(f"Volume {name} is in use by a running Job; try again when that has ended")
            raise VolumeError(f"there is no Volume {name} in {self.path}")
        if why := _why_another(path):
            volume.close()
            raise VolumeError(f"{path} is not removed: {why}; if nobody needs it, remove it by hand")
        volume.remove()

    def _room(
        self,
        session: Session,
        limit: int,
        finished: Callable[[Session], bool] | None,
        report: Callable[[str], None],
        *,
        begin_volume: bool,
    ) -> tuple[VolumeFile, bool, bool]:
        """A locked Volume, offset set, and whether it holds no Job yet, and whether it was made just now."""
        for name in reversed(self.volumes()):
            if not _OUR_NAME.fullmatch(name) or self._is_full(name, limit):
                continue
            keep = partial(self._may_be_wanted, name, finished)
            try:
                taken = self._take(name, session, keep, report)
            except VolumeError as error:
                report(str(error))
                continue
            if taken is not None and (taken[1] or not begin_volume):
                return (*taken, False)
            if begin_volume:
                if taken is not None:
                    taken[0].close()
                break
        return self._new_volume(session, "", 1), True, True

    def _is_full(self, name: str, limit: int) -> bool:
        size = self.size_of(name)
        if size is None:
            return True  # gone meanwhile
        return bool(limit) and size + DEFAULT_BLOCK_BYTES > limit and size > DEFAULT_BLOCK_BYTES

    def _take(
        self, name: str, session: Session, keep: Callable[[Session], bool], report: Callable[[str], None]
    ) -> tuple[VolumeFile, bool] | None:
        volume = VolumeFile.lock(self.path / name)
        if volume is None:
            return None
        try:
            tail = examine(volume, keep)
            if tail is None:
                volume.close()
                return None
            size = volume.size()
            if tail.end < size:
                report(f"Volume {name} was cut from {size} to {tail.end} bytes: {tail.cut}")
                volume.truncate(tail.end)
            volume.offset = tail.end
            if not tail.end:
                self._label(volume, session, "", 1)
        except BaseException:
            volume.close()
            raise
        return volume, tail.unused

    def _new_volume(self, session: Session, previous: str, count: int) -> VolumeFile:
        """A Volume with the next free name, labelled, durable and locked; `count` Volumes has the Job now."""
        while True:
            if self._highest is None:  # once for all Volumes of a Job, which may be thousands
                self._highest = self._highest_number()
            number = self._sequence.next_volume(self._highest)
            path = self.path / f"Vol-{number:04d}"
            as_it_was = self._own.changed_at()
            volume = VolumeFile.create(path)
            self._highest = number if volume is not None else None
            if volume is not None:
                self._own.made(volume.id, as_it_was)
                break
        try:
            self._label(volume, session, previous, count)
            sync_directory(self.path)
        except OSError as error:
            volume.remove()
            raise explain("cannot flush the new Volume to disk (fsync)", path, error) from error
        except VolumeError:
            volume.remove()
            raise
        return volume

    def _highest_number(self) -> int:
        """Of our own Volumes here, by their names alone; 0: there is none."""
        try:
            return max((_order(path.name)[1] for path in self.path.iterdir()), default=0)
        except OSError as error:
            raise explain("the directory of Volumes cannot be read", self.path, error) from error

    def _label(self, volume: VolumeFile, session: Session, previous: str, count: int) -> None:
        now = int(self._clock() * 1_000_000)
        label = VolumeLabel(
            volume.name,
            labelled=now,
            written=now,
            previous=previous,
            host=self._host,
            program=LABEL_PROGRAM,
            program_version=f"Ver. {__version__}",
        )
        stream = count if count > 1 else 0
        block = single_record_block(session, 0, LabelType.VOLUME, stream, pack_volume_label(label))
        volume.offset = 0
        volume.write(memoryview(block))
        volume.sync()

    def _may_be_wanted(self, name: str, finished: Callable[[Session], bool] | None, session: Session) -> bool:
        """Does a session without an end in Volume `name` go on in another one, as far as can be known?"""
        if finished is not None and finished(session):
            return True
        for other in self.volumes():
            if other != name:
                try:
                    with open_volume(self.path / other) as reader:
                        ours = reader.label().program == LABEL_PROGRAM
                        # A Job that goes on does so in a new Volume: the label block has its ids.
                        if not ours or reader.walk.block(0).header.session == session:
                            return True
                except VolumeError:
                    return True
        return False

    def _is_volume(self, name: str) -> bool:
        try:
            fd = open_file(self.path / name)
        except OSError:
            return False
        try:
            parse_header(os.read(fd, BB03_HEADER_BYTES))
        except (OSError, VolumeError):
            return False
        else:
            return True
        finally:
            os.close(fd)


def _why_another(path: Path) -> str:
    """Why that file is not the Volume of its name, "" when it is: a catalog may have any name in it."""
    try:
        with open_volume(path) as reader:
            name = reader.label().name
    except VolumeError as error:
        return f"it has no Volume label ({error})"
    return "" if name == path.name else f"it holds the Volume {name}"


def _may_be_opened(name: str) -> bool:
    return not name.startswith(".") and NEVER_OPENED not in name


def _order(name: str) -> tuple[bool, int, str]:
    """Our own names by number, then all others."""
    ours = _OUR_NAME.fullmatch(name)
    return ours is None, int(ours[1]) if ours else 0, name
