"""One command of `filed`, called as its entry point calls it; its Jobs run in processes of their own as ever."""

from __future__ import annotations

import io
import json
import os
import pty
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import Any, TextIO

from filed.cli.main import run

Word = str | bytes | Path | int


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and its two streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def filed(*words: Word, code: int | None = 0) -> Ran:
    """Run one command. code: what it must end with; None: anything."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        ended = run([os.fsdecode(word) if isinstance(word, bytes) else str(word) for word in words])
    ran = Ran(ended, out.getvalue(), err.getvalue())
    assert code is None or ran.code == code, f"filed {words}: exit code {ran.code}\n{ran.out}{ran.err}"
    return ran


class Terminal:
    """A terminal of 120 columns. `file` is the program's side; `shown` is what stands on it, with its escape sequences."""

    def __init__(self, file: TextIO, master: int) -> None:
        self.file = file
        self._master = master

    def shown(self) -> str:
        """What was written since the last time; the kernel holds 4 kB."""
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
