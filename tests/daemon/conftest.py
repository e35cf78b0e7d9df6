"""What tests of the daemon and its watcher share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.native_host.watching import FileSystem, file_system


@pytest.fixture
def made() -> Iterator[FileSystem]:
    if os.geteuid():
        pytest.skip("only root may watch a file system")
    with file_system("tmpfs") as made:
        yield made
