"""One program run to its end: how long, how much processor, how much memory; and what it was measured on."""

from __future__ import annotations

import mmap
import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.beside import beside


@dataclass(frozen=True, slots=True)
class Cost:
    """What a program and all its children took; `peak_bytes` is the largest resident set among them."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    others: float = 0.0  # share of one processor that other processes used meanwhile


class MeasuredProgramError(Exception):
    """A program that is being measured failed; the text ends with what it wrote."""


def run(argv: Sequence[str], env: Mapping[str, str], log: Path) -> Cost:
    """Run a program, its output into `log`. Raises MeasuredProgramError when it does not exit 0.

    The kernel's own sums: wait4() counts every descendant that was waited for. Not for a caller with a large resident
    set: a child's peak starts at its parent's.
    """
    with log.open("wb") as out, beside() as others:
        began = time.monotonic()
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **env}
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise MeasuredProgramError(
            f"{' '.join(argv)}: exit {child.returncode}\n{log.read_text(errors='replace')[-2000:]}"
        )
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, others.share)


def median(costs: Sequence[Cost]) -> Cost:
    """Each figure's own median; of what others used, the most."""
    return Cost(
        statistics.median(cost.wall_s for cost in costs),
        statistics.median(cost.cpu_s for cost in costs),
        int(statistics.median(cost.peak_bytes for cost in costs)),
        max(cost.others for cost in costs),
    )


def spread(figures: Sequence[float]) -> str:
    """Median, and the least and the most, for a table."""
    return f"{statistics.median(figures):,.2f} ({min(figures):,.2f} to {max(figures):,.2f})"


def warm(tree: Path) -> None:
    """Bring a tree into the page cache, and get the writes of earlier runs off to the disk."""
    buffer = bytearray(1 << 20)
    for directory, _, names in os.walk(tree):
        for name in names:
            with Path(directory, name).open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass
    os.sync()


def have_memory(size_bytes: int) -> None:
    """Use so much free memory once, if there is twice as much.

    A virtual machine may have given it back to its host. Whoever uses it again first waits for the host, 0.5 to 1.9 s a GB as
    seen on one: that would be the Storage Daemon, and the one whose turn it is when others have been still for a moment.
    """
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    mmap.mmap(-1, min(size_bytes, free // 2), flags=flags).close()


def stored(repository: Path) -> int:
    """Bytes of all regular files below a repository."""
    return sum(path.stat().st_size for path in repository.rglob("*") if path.is_file())


def machine(*version_commands: list[str]) -> str:
    """The line above the tables: what they were measured on. version_commands: print a name and a version."""
    processors = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    versions = []
    for command in version_commands:
        if shutil.which(command[0]):
            words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            versions.append(" ".join(words[:2]))
    kernel, load = platform.release(), os.getloadavg()[0]
    return (
        f"{len(processors)} x {processors[0].split(':')[1].strip()}, {memory} GiB, Linux {kernel}, "
        f"Python {platform.python_version()}, load at start {load:.1f}{''.join(f'; {one}' for one in versions)}."
    )
