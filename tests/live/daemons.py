"""`filed daemon` and Debian's File Daemon by turns, in the same place of the same Director."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.live.bacula import Bacula
from tests.live.filed_daemon import FiledDaemon


@contextmanager
def debians(bacula: Bacula) -> Iterator[None]:
    bacula.start("fd")
    yield
    bacula.stop("fd")


BOTH: tuple[Callable[[Bacula], AbstractContextManager[object]], ...] = (FiledDaemon, debians)
"""`filed` first."""
