"""How much of the processors others used while something was measured: a figure means little where that was much."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
KERNEL = 2  # the parent of the kernel's own threads, which write what was measured to the disk
MUCH = 0.1  # of one processor
NOTE = f"*: other processes used more than {MUCH:.1f} of a processor meanwhile."


@dataclass(frozen=True, slots=True)
class Process:
    """cpu_s: user and system time, with that of its children that have ended."""

    parent: int
    cpu_s: float


def processes() -> dict[int, Process]:
    """All, by number."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            found[int(entry.name)] = Process(int(fields[1]), sum(map(int, fields[11:15])) / TICKS)
    return found


def tree_of(all_: dict[int, Process], roots: Sequence[int]) -> set[int]:
    """These processes, and what they started."""
    children = defaultdict(list)
    for number, process in all_.items():
        children[process.parent].append(number)
    found, todo = set(), list(roots)
    while todo:
        number = todo.pop()
        if number not in found:
            found.add(number)
            todo += children[number]
    return found


def processor_s(*roots: int) -> float:
    """Of these processes, of what they started, and of what that left behind when it ended."""
    all_ = processes()
    return sum(all_[number].cpu_s for number in tree_of(all_, roots) if number in all_)


class Beside:
    """share: of one processor, what others used in the block."""

    share = 0.0

    @property
    def mark(self) -> str:
        """Behind a name in a table: see NOTE."""
        return " *" if self.share > MUCH else ""


@contextmanager
def beside(*ours: int) -> Iterator[Beside]:
    """ours: processes that, with all they start, are part of what is measured; this one is in any case."""
    found = Beside()
    before, began = processes(), time.monotonic()
    yield found
    after, seconds = processes(), time.monotonic() - began
    own = tree_of(after, (os.getpid(), *ours)) | tree_of(before, (os.getpid(), *ours))
    used = sum(
        process.cpu_s - before.get(number, Process(0, 0.0)).cpu_s
        for number, process in after.items()
        if number not in own and KERNEL not in (number, process.parent)
    )
    found.share = max(used, 0.0) / max(seconds, 1 / TICKS)
