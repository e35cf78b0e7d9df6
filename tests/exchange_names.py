"""A neighbour who exchanges two names of his own directory for ever, as anybody may do during a backup."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AT_FDCWD, RENAME_EXCHANGE = -100, 2
PUBLIC, PRIVATE = b"public", b"secret"
SIZE = 200_000 // 6 * 6
"""More than an agent hands over beside the attributes."""
PAIRS = 20


def exchange(one: str | bytes | Path, other: str | bytes | Path) -> None:
    """Each gets the name of the other, in one step."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2")


def make_pairs(directory: Path, public: bytes = PUBLIC * (SIZE // 6), private: bytes = PRIVATE * (SIZE // 6)) -> None:
    """One of each pair everybody may read, the other its owner alone."""
    for number in range(PAIRS):
        for name, content, mode in ((f"{number}.a", public, 0o644), (f"{number}.b", private, 0o600)):
            (directory / name).write_bytes(content)
            (directory / name).chmod(mode)


@contextmanager
def being_exchanged(directory: Path) -> Iterator[None]:
    """All pairs of the directory, one after the other, until the block ends."""
    program = [sys.executable, "-c", "import sys; from tests.exchange_names import run; run(sys.argv[1])", directory]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == b"ready\n"
            yield
            assert running.poll() is None
        finally:
            running.kill()


def run(directory: str) -> None:
    names = [os.fsencode(f"{directory}/{number}.") for number in range(PAIRS)]
    renameat2 = ctypes.CDLL(None).renameat2
    print("ready", flush=True)
    while True:
        for name in names:
            renameat2(AT_FDCWD, name + b"a", AT_FDCWD, name + b"b", RENAME_EXCHANGE)
