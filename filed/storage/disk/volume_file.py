"""A Volume file that is ours alone, to append to.

Alone means flock(2) on the file: another process, or another Job of this one, finds it taken and takes another Volume.
Readers take no lock.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from filed.config.trust import why_not_trusted
from filed.errors import VolumeError
from filed.process.system import lock_file, open_file, read_at, sync_directory, write_at

VOLUME_MODE = 0o640

_ADVICE = {
    errno.ENOSPC: "free some space or prune old Jobs, then run the Job again",
    errno.EDQUOT: "the quota is used up: raise it or prune old Jobs, then run the Job again",
    errno.EFBIG: "no larger file is allowed there: set a smaller Maximum Volume Bytes, then run the Job again",
    errno.EROFS: "the file system is read-only: mount it writable, then run the Job again",
    errno.EIO: "check the disk and the kernel's log before the next Job",
    errno.EACCES: "give the user who runs this program the right to write there",
    errno.EPERM: "give the user who runs this program the right to write there",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.ENOLCK: "the file system cannot lock files: use another one",
    errno.EOPNOTSUPP: "the file system cannot lock files: use another one",
}


def explain(what: str, path: Path, error: OSError) -> VolumeError:
    """The error for a person: what failed, where, why, what to do."""
    advice = _ADVICE.get(error.errno or 0, "")
    return VolumeError(f"{what}: {path}: {error.strerror or error}" + (f"; {advice}" if advice else ""))


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


class VolumeFile:
    """An open, locked Volume. `write` appends at `offset`, which is ours to set."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.name = path.name
        self.offset = 0
        self._fd = fd
        self._opened = _identity(fd)

    @property
    def id(self) -> tuple[int, int]:
        """Its device and inode, whatever name it has."""
        return self._opened

    @classmethod
    def lock(cls, path: Path) -> VolumeFile | None:
        """Open an existing Volume for appending; None when somebody has it, or it is gone. Raises VolumeError."""
        try:
            fd = open_file(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain("the Volume cannot be opened", path, error) from error
        return cls._locked(path, fd)

    @classmethod
    def create(cls, path: Path) -> VolumeFile | None:
        """Make a new, empty Volume; None when the name is taken. Raises VolumeError."""
        try:
            fd = open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, VOLUME_MODE)
        except FileExistsError:
            return None
        except OSError as error:
            raise explain("no Volume can be made", path, error) from error
        return cls._locked(path, fd)

    @classmethod
    def _locked(cls, path: Path, fd: int) -> VolumeFile | None:
        volume = cls(path, fd)
        try:
            lock_file(fd, wait=False)
            mine, there = os.fstat(fd), path.stat(follow_symlinks=False)
        except (BlockingIOError, FileNotFoundError):
            volume.close()
            return None
        except OSError as error:
            volume.close()
            raise explain("the Volume cannot be locked", path, error) from error
        if (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):
            volume.close()  # removed, and perhaps made again, before we had the lock
            return None
        if not stat.S_ISREG(mine.st_mode):
            volume.close()
            raise VolumeError(f"{path} is not a plain file; move it away")
        if why := why_not_trusted(path, mine):
            volume.close()
            raise VolumeError(why)  # what is written to it would be somebody else's
        return volume

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        try:
            return read_at(self._fd, length, offset)
        except OSError as error:
            raise explain(f"Volume {self.name} cannot be read at offset {offset}", self.path, error) from error

    def write(self, data: memoryview) -> None:
        """All of `data`. After VolumeError some of it may be in the file, behind `offset`."""
        offset = self.offset
        try:
            while data:
                done = write_at(self._fd, data, offset)
                offset += done
                data = data[done:]
        except OSError as error:
            raise explain(f"Volume {self.name} cannot be written at offset {offset}", self.path, error) from error
        self.offset = offset

    def truncate(self, offset: int) -> None:
        """Cut the file; the next write goes to its end. On stable storage on return."""
        try:
            os.ftruncate(self._fd, offset)
            os.fsync(self._fd)
        except OSError as error:
            raise explain(f"Volume {self.name} cannot be cut to {offset} bytes", self.path, error) from error
        self.offset = offset

    def sync(self) -> None:
        """Everything written is on stable storage on return.

        Raises VolumeError, too, when the descriptor leads elsewhere than it did: what was written is not in the Volume.
        """
        try:
            now = _identity(self._fd)
            os.fsync(self._fd)
        except OSError as error:
            raise explain(f"cannot flush Volume {self.name} to disk (fsync)", self.path, error) from error
        if now != self._opened:
            raise VolumeError(
                f"the descriptor of Volume {self.name} was closed by an agent of this Job, and is another file's now:"
                " what was written did not reach the Volume"
            )

    def remove(self) -> None:
        """Delete the file while it is ours, and let it go."""
        try:
            self.path.unlink()
            sync_directory(self.path.parent)
        except OSError as error:
            raise explain("the Volume cannot be removed", self.path, error) from error
        finally:
            self.close()

    def close(self) -> None:
        """Let it go; somebody else may have it now."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
