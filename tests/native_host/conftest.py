from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.native_host.watching import MAKERS, FileSystem, Watcher, compile_watcher, file_system

KINDS = ("tmpfs", *MAKERS)


@pytest.fixture(autouse=True)
def _root() -> None:
    if os.geteuid():
        pytest.skip("only root may watch a file system")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_watcher(tmp_path_factory.mktemp("watcher"))


@pytest.fixture(params=KINDS)
def any_fs(request: pytest.FixtureRequest) -> Iterator[FileSystem]:
    if request.param in MAKERS and not shutil.which(MAKERS[request.param]):
        pytest.skip(f"no {MAKERS[request.param]}")
    with file_system(request.param) as made:
        yield made


@pytest.fixture
def tmpfs() -> Iterator[FileSystem]:
    with file_system("tmpfs") as made:
        yield made


@pytest.fixture
def small() -> Iterator[FileSystem]:
    with file_system("tmpfs", 4 << 20) as made:
        yield made


@pytest.fixture
def watch(program: Path, tmp_path: Path) -> Iterator[Callable[..., Watcher]]:
    """Starts a watcher of the paths; `program=` another build, `store=` another place."""
    started = []

    def start(*paths: Path, program: Path = program, store: Path = tmp_path / "store") -> Watcher:
        watcher = Watcher(program, store, tmp_path / f"{len(started)}.log", paths)
        started.append(watcher)
        watcher.start()
        return watcher

    yield start
    for watcher in started:
        watcher.stop()
        said = watcher.said()
        assert not any(word in said for word in ("Sanitizer", "runtime error")), said
