"""A terminal for a test: what the program writes to it, and what then stands there."""

from __future__ import annotations

import os
import pty
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from typing import TextIO


class Terminal:
    """120 columns. `file` is the program's side."""

    def __init__(self, file: TextIO, master: int) -> None:
        self.file = file
        self._master = master

    def shown(self) -> str:
        """What was written since the last time, with its escape sequences; the kernel holds 4 kB."""
        self.file.flush()
        os.set_blocking(self._master, False)
        pieces = []
        while True:
            try:
                pieces.append(os.read(self._master, 1 << 16))
            except BlockingIOError:
                return b"".join(pieces).decode()


@contextmanager
def terminal() -> Iterator[Terminal]:
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    try:
        with open(slave, "w", encoding="utf-8") as file:
            yield Terminal(file, master)
    finally:
        os.close(master)
