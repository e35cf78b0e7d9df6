"""What happens to a tree between two backups: one random change at a time, each of a kind that a backup may miss."""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from tests.system.trees import ACL_ACCESS, ACL_DEFAULT, acl

# Few, so that they meet again; some of them sort around a slash.
NAMES = (b"a", b"b", b"a b", b"a.b", b"a\x01", b"\xff\xfe", b"new\nline", b"-", b"x" * 200, b"c", b"d", b"e")
SIZES = (0, 0, 1, 7, 100, 5000, 65535, 65536, 65537, 200_000)
MODES = (0o644, 0o600, 0o444, 0o755, 0o4755, 0o1777, 0o700, 0o2770)
TRIES = 20


class Changes:
    """A tree's random life. outside: a directory beside it, on the same file system, for hard links that leave it."""

    def __init__(self, tree: Path, outside: Path, rng: random.Random) -> None:
        self._top = os.fsencode(tree)
        self._outside = os.fsencode(outside)
        self._rng = rng
        self._root = os.geteuid() == 0
        self._kinds: tuple[Callable[[], str], ...] = (
            self.create,
            self.create,
            self.create,
            self.append,
            self.overwrite,
            self.overwrite,
            self.overwrite_and_touch_back,
            self.truncate,
            self.delete_file,
            self.delete_directory,
            self.make_directory,
            self.make_link,
            self.make_fifo,
            self.retarget,
            self.rename_file,
            self.rename_directory,
            self.rename_directory,
            self.swap_directories,
            self.swap_files,
            self.file_to_directory,
            self.directory_to_file,
            self.change_mode,
            self.change_owner,
            self.touch_back,
            self.add_name,
            self.add_name,
            self.add_name_outside,
            self.change_outside,
            self.remove_name,
            self.change_attribute,
            self.change_list,
        )

    def some(self, count: int) -> list[str]:
        """Do `count` changes. Returns what was done, for a failure's report."""
        done = [self._rng.choice(self._kinds)() for _ in range(count)]
        return [text.replace(os.fsdecode(self._top) + "/", "").replace("x" * 200, "xxx...") for text in done]

    # -- what there is ------------------------------------------------------------------------------------------

    def _paths(self, wanted: Callable[[int], bool]) -> list[bytes]:
        found = []
        for directory, folders, files in os.walk(self._top):
            found += [os.path.join(directory, name) for name in (*folders, *files)]
        return sorted(path for path in found if wanted(os.lstat(path).st_mode))

    def _one(self, wanted: Callable[[int], bool]) -> bytes | None:
        paths = self._paths(wanted)
        return self._rng.choice(paths) if paths else None

    def _folder(self) -> bytes:
        return self._rng.choice([self._top, *self._paths(stat.S_ISDIR)])

    def _free(self) -> bytes:
        """A path that nothing stands at."""
        for _ in range(TRIES):
            path = os.path.join(self._folder(), self._rng.choice(NAMES))
            if not os.path.lexists(path):
                return path
        return os.path.join(self._folder(), b"number %d" % self._rng.getrandbits(60))

    def _write(self, path: bytes, data: bytes) -> None:
        with open(path, "wb") as file:
            file.write(data)

    # -- files --------------------------------------------------------------------------------------------------

    def create(self) -> str:
        path, size = self._free(), self._rng.choice(SIZES)
        self._write(path, self._rng.randbytes(size) if self._rng.random() < 0.7 else bytes(size))
        return f"create {path!r}, {size} bytes"

    def append(self) -> str:
        path = self._one(stat.S_ISREG)
        if path is None:
            return self.create()
        with open(path, "ab") as file:
            file.write(self._rng.randbytes(self._rng.choice(SIZES)))
        return f"append to {path!r}"

    def overwrite(self) -> str:
        """In place, the same size, within the same second: only a part of a second tells."""
        path = self._one(stat.S_ISREG)
        if path is None or not os.path.getsize(path):
            return self.create()
        with open(path, "r+b") as file:
            file.write(self._rng.randbytes(os.path.getsize(path)))
        return f"overwrite {path!r}"

    def overwrite_and_touch_back(self) -> str:
        path = self._one(stat.S_ISREG)
        if path is None or not os.path.getsize(path):
            return self.create()
        before = os.stat(path)
        with open(path, "r+b") as file:
            file.write(self._rng.randbytes(before.st_size))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return f"overwrite {path!r} and touch back"

    def truncate(self) -> str:
        path = self._one(stat.S_ISREG)
        if path is None:
            return self.create()
        size = self._rng.choice(SIZES)
        os.truncate(path, size)
        return f"truncate {path!r} to {size}"

    def delete_file(self) -> str:
        path = self._one(lambda mode: not stat.S_ISDIR(mode))
        if path is None:
            return self.create()
        os.unlink(path)
        return f"delete {path!r}"

    def rename_file(self) -> str:
        """Sometimes over another."""
        path = self._one(lambda mode: not stat.S_ISDIR(mode))
        if path is None:
            return self.create()
        over = self._one(lambda mode: not stat.S_ISDIR(mode))
        new = over if over is not None and self._rng.random() < 0.3 else self._free()
        os.rename(path, new)
        return f"rename {path!r} to {new!r}"

    def swap_files(self) -> str:
        first, second = self._one(stat.S_ISREG), self._one(stat.S_ISREG)
        return self._swap(first, second)

    # -- directories --------------------------------------------------------------------------------------------

    def make_directory(self) -> str:
        path = self._free()
        os.mkdir(path)
        if self._rng.random() < 0.5:
            self._write(os.path.join(path, b"in it"), self._rng.randbytes(10))
        return f"make directory {path!r}"

    def delete_directory(self) -> str:
        path = self._one(stat.S_ISDIR)
        if path is None:
            return self.make_directory()
        shutil.rmtree(path)
        return f"delete directory {path!r}"

    def rename_directory(self) -> str:
        """What is in it keeps all its times, also the hard links that have names elsewhere."""
        path = self._one(stat.S_ISDIR)
        new = self._free()
        if path is None or (new + b"/").startswith(path + b"/"):
            return self.make_directory()
        os.rename(path, new)
        return f"rename directory {path!r} to {new!r}"

    def swap_directories(self) -> str:
        return self._swap(self._one(stat.S_ISDIR), self._one(stat.S_ISDIR))

    def _swap(self, first: bytes | None, second: bytes | None) -> str:
        if first is None or second is None or (first + b"/").startswith(second + b"/"):
            return self.create()
        if (second + b"/").startswith(first + b"/"):
            return self.create()
        aside = self._top + b"/aside for a moment"
        os.rename(first, aside)
        os.rename(second, first)
        os.rename(aside, second)
        return f"swap {first!r} and {second!r}"

    def file_to_directory(self) -> str:
        path = self._one(lambda mode: not stat.S_ISDIR(mode))
        if path is None:
            return self.create()
        os.unlink(path)
        os.mkdir(path)
        self._write(os.path.join(path, b"a"), b"a directory now")
        return f"replace {path!r} by a directory"

    def directory_to_file(self) -> str:
        path = self._one(stat.S_ISDIR)
        if path is None:
            return self.create()
        shutil.rmtree(path)
        self._write(path, b"a file now")
        return f"replace {path!r} by a file"

    # -- links and others ---------------------------------------------------------------------------------------

    def make_link(self) -> str:
        path = self._free()
        os.symlink(self._rng.choice(NAMES), path)
        return f"make link {path!r}"

    def retarget(self) -> str:
        path = self._one(stat.S_ISLNK)
        if path is None:
            return self.make_link()
        before = os.lstat(path)
        os.unlink(path)
        os.symlink(self._rng.choice(NAMES), path)
        if self._rng.random() < 0.5:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns), follow_symlinks=False)
        return f"retarget {path!r}"

    def make_fifo(self) -> str:
        path = self._free()
        os.mkfifo(path)
        return f"make FIFO {path!r}"

    def add_name(self) -> str:
        """A hard link, in any directory."""
        path = self._one(lambda mode: not stat.S_ISDIR(mode))
        if path is None:
            return self.create()
        new = self._free()
        os.link(path, new, follow_symlinks=False)
        return f"link {path!r} as {new!r}"

    def add_name_outside(self) -> str:
        path = self._one(stat.S_ISREG)
        if path is None:
            return self.create()
        os.link(path, os.path.join(self._outside, b"%d" % self._rng.getrandbits(60)))
        return f"link {path!r} outside"

    def change_outside(self) -> str:
        """Through a name that no Job sees."""
        names = sorted(os.listdir(self._outside))
        if not names:
            return self.add_name_outside()
        path = os.path.join(self._outside, self._rng.choice(names))
        with open(path, "ab") as file:
            file.write(b"from outside")
        if self._rng.random() < 0.3:
            os.unlink(path)
        return f"change {path!r}"

    def remove_name(self) -> str:
        paths = [path for path in self._paths(lambda mode: not stat.S_ISDIR(mode)) if os.lstat(path).st_nlink > 1]
        if not paths:
            return self.add_name()
        path = self._rng.choice(paths)
        os.unlink(path)
        return f"remove the name {path!r}"

    # -- attributes ---------------------------------------------------------------------------------------------

    def change_mode(self) -> str:
        path = self._one(lambda mode: not stat.S_ISLNK(mode))
        if path is None:
            return self.create()
        mode = self._rng.choice(MODES)
        if not self._root:
            mode |= 0o700
        os.chmod(path, mode)
        return f"chmod {mode:o} {path!r}"

    def change_owner(self) -> str:
        path = self._one(lambda _mode: True)
        if path is None or not self._root:
            return self.create()
        os.chown(path, self._rng.choice((0, 1, 1000, 65534)), self._rng.choice((0, 5)), follow_symlinks=False)
        return f"chown {path!r}"

    def touch_back(self) -> str:
        """The modification time of a file that stays as it is goes back."""
        path = self._one(lambda _mode: True)
        if path is None:
            return self.create()
        when = self._rng.choice((-1, 0, 1_000_000_000_000_000_001, 1_700_000_000_123_456_789))
        os.utime(path, ns=(when, when), follow_symlinks=False)
        return f"touch {path!r}"

    def change_attribute(self) -> str:
        path = self._one(lambda mode: stat.S_ISREG(mode) or stat.S_ISDIR(mode))
        if path is None:
            return self.create()
        if "user.changed" in os.listxattr(path) and self._rng.random() < 0.5:
            os.removexattr(path, "user.changed")
        else:
            os.setxattr(path, "user.changed", b"%d" % self._rng.getrandbits(30))
        return f"change an attribute of {path!r}"

    def change_list(self) -> str:
        path = self._one(lambda mode: stat.S_ISREG(mode) or stat.S_ISDIR(mode))
        if path is None:
            return self.create()
        default = os.path.isdir(path) and self._rng.random() < 0.5
        key = ACL_DEFAULT if default else ACL_ACCESS
        if key in os.listxattr(path):
            os.removexattr(path, key)
        else:
            os.setxattr(path, key, acl(self._rng.choice((1, 1000)), default=default)[key])
        return f"change the list of {path!r}"
