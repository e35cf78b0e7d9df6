"""What agents and their libraries print, although they must not: caught, and told as messages.

A pipe whose writing end never blocks: a flood is cut off at what the pipe holds instead of stopping the Job, and what
a dying process said (an abort's last words) is still in it for anyone who holds the reading end, its parent included.
"""

from __future__ import annotations

import os

from filed.errors import printable
from filed.process.system import c_stdio, print_into, printed, printing

MAX_LINE_BYTES = 4096
_READ_BYTES = 64 << 10


class Capture:
    """Make it before the fork; `redirect` in the job process; `lines` on either side, now and then."""

    def __init__(self) -> None:
        self._reader, self._writer = printing()
        self._rest = b""

    @property
    def descriptors(self) -> tuple[int, int]:
        """Both ends."""
        return self._reader, self._writer

    def redirect(self) -> None:
        """Descriptors 1 and 2 of this process write into the pipe from now on, and C's stdout line by line.

        A full buffer would die with its process, and the last words in it.
        """
        print_into(self._writer)
        c_stdio(at_once=True)

    def flush(self) -> None:
        """In the job process: what C's stdio of this process still holds goes into the pipe."""
        c_stdio()

    def lines(self, *, final: bool = False) -> list[str]:
        """What was printed since the last time, in whole lines, safe to show. final: the last line needs no end."""
        gathered = [self._rest]
        while True:
            piece = printed(self._reader, _READ_BYTES)
            if not piece:
                break
            gathered.append(piece)
        *lines, self._rest = b"".join(gathered).split(b"\n")
        if final or len(self._rest) > MAX_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        return [printable(line[:MAX_LINE_BYTES]) for line in lines if line.strip()]

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)
