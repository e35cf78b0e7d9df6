"""Where the processor time of a Job goes: by room and file of `filed`, and by thread.

    python -m tests.bench.profile_job restore VOLUMES WHERE        the newest Job, into an empty directory
    python -m tests.bench.profile_job verify VOLUMES

The Job runs in this process, under cProfile, each thread by its own processor time. What C does counts for the file that called it. A profile
makes Python slower than it is, and C not: compare rows of one kind, and what a change does to them; for figures measure without.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from filed.catalog import Catalog
from filed.job.context import JobContext
from filed.job.description import Places, RestoreJob, VerifyJob
from filed.job.process import do, guarded
from filed.job.setup import default_setup
from filed.process.channel import Sender
from filed.process.status_page import StatusPage

ROOMS = Path(__file__).resolve().parents[2] / "filed"
LEAST_S = 0.02


class Profiles:
    """One for each thread that is begun after this."""

    def __init__(self) -> None:
        self._of: dict[str, list[cProfile.Profile]] = {}
        threading.setprofile(self._begin)

    def _begin(self, _frame: FrameType, _event: str, _argument: object) -> None:
        self.start(threading.current_thread().name)

    def start(self, name: str) -> cProfile.Profile:
        profile = cProfile.Profile(time.thread_time)
        self._of.setdefault(name.rstrip("0123456789-_"), []).append(profile)
        profile.enable()
        return profile

    def rows(self) -> list[tuple[str, str, float]]:
        """Thread, file, seconds: the longest first."""
        spent: Counter[tuple[str, str]] = Counter()
        for thread, profiles in self._of.items():
            for profile in profiles:
                for (file, _, _), (_, _, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
                    if file == "~" and callers:
                        for (caller, _, _), (_, _, part, _) in callers.items():
                            spent[thread, _room(caller)] += part
                    else:
                        spent[thread, _room(file)] += own
        return [(*key, seconds) for key, seconds in spent.most_common()]


def _room(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(ROOMS)) if path.is_relative_to(ROOMS) else "(others)"


def main() -> None:
    parser = argparse.ArgumentParser(description="Where the processor time of a Job goes.")
    parser.add_argument("kind", choices=("restore", "verify"))
    parser.add_argument("volumes", type=Path)
    parser.add_argument("where", type=Path, nargs="?", default=Path("/nowhere"))
    asked = parser.parse_args()
    places = Places.within(asked.volumes)
    with Catalog.read(places.catalog) as catalog:
        newest = max(job.job_id for job in catalog.jobs())
    job = (
        RestoreJob(places, newest, asked.where, default_setup())
        if asked.kind == "restore"
        else VerifyJob(places, (newest,), default_setup())
    )
    ours, theirs = socket.socketpair()
    threading.Thread(target=_drain, args=(ours,), daemon=True).start()
    cancel_pipe, ring = os.pipe()
    context = JobContext.of(Sender(theirs), StatusPage(), cancel_pipe)
    profiles, began = Profiles(), time.process_time()
    main_thread = profiles.start("job")
    outcome = guarded(lambda context: do(job, context), context)
    main_thread.disable()
    spent = time.process_time() - began
    os.close(ring)
    print(f"{outcome.status.name}: {outcome.totals.files:,} files, {spent:.2f} s of processor time, profiled")
    for thread, room, seconds in profiles.rows():
        if seconds >= LEAST_S:
            print(f"  {seconds:6.2f} s  {thread:10} {room}")


def _drain(sock: socket.socket) -> None:
    while sock.recv(1 << 16):
        pass


if __name__ == "__main__":
    main()
