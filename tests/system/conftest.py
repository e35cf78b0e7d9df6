"""A place of its own for each system test, where an ordinary user may look, and where odd trees can be removed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.odd_tree import noise
from tests.system.program import Ran, filed
from tests.system.trees import Directory, File, Survey, plant, survey

MEMORY = Path("/dev/shm")
MEMORY_BYTES = 3 << 30  # what the largest test takes; a container often has far less


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory. pytest's own are closed to other users, and their removal does not know paths this long."""
    with _directory(None) as path:
        yield path


@pytest.fixture
def memory() -> Iterator[Path]:
    """The same in memory where there is enough of it, for tests that would wait for the disk and learn nothing from it."""
    with _directory(MEMORY if _has_room(MEMORY) else None) as path:
        yield path


@contextmanager
def _directory(parent: Path | None) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="filed-system-", dir=parent))
    path.chmod(0o755)
    yield path
    subprocess.run(["rm", "-rf", "--one-file-system", "--", path], check=True)


def _has_room(path: Path) -> bool:
    try:
        found = os.statvfs(path)
    except OSError:
        return False
    return os.access(path, os.W_OK) and found.f_bavail * found.f_frsize >= MEMORY_BYTES


@dataclass(frozen=True, slots=True)
class Store:
    """A directory of Volumes, and the commands upon it."""

    path: Path

    def __call__(
        self,
        command: str,
        *arguments: str | Path | bytes,
        code: int | tuple[int, ...] = 0,
        before: Callable[[], object] = lambda: None,
    ) -> Ran:
        words = (command, *arguments)
        groups = ("catalog",)
        at = 2 if command in groups else 1
        return filed(*words[:at], "-s", self.path, *words[at:], code=code, before=before)

    def backup(self, level: str, *arguments: str | Path | bytes, code: int | tuple[int, ...] = 0) -> dict[str, object]:
        document: dict[str, object] = self("backup", "--json", "--level", level, *arguments, code=code).json
        return document

    def jobs(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = self("jobs", "--json").json
        return found


@pytest.fixture
def store(place: Path) -> Store:
    return Store(place / "volumes")


def some_files(place: Path, count: int = 40, size: int = 100_000, seed: int = 0) -> Path:
    """A tree of `count` files that no compressor makes smaller, and some of a few bytes."""
    return plant(
        place / f"tree-{seed}",
        Directory(
            entries={
                b"d": Directory(entries={b"file %d" % n: File(noise(size + n, seed + n)) for n in range(count)}),
                b"after": Directory(entries={b"small %d" % n: File(b"%d" % n) for n in range(50)}),
            }
        ),
    )


def restored(store: Store, tree: Path, where: Path, *arguments: str | Path, code: int = 0) -> tuple[Survey, Ran]:
    """A restore of the newest Job: what then stands where the tree belongs, and what was said."""
    ran = store("restore", "--where", where, *arguments, code=code)
    return survey(where / tree.relative_to("/")), ran
