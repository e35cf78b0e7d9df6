"""Jobs as a Director's session describes them, run in their process against the Storage in this directory."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from filed.fileset import FileSet, Include, Options, Signature
from filed.job.description import (
    Changes,
    DirectorJob,
    JobDescription,
    Level,
    NetworkBackup,
    NetworkRestore,
    StorageDaemon,
)
from filed.job.process import start_job
from filed.job.setup import default_setup
from filed.process.channel import Event
from filed.process.outcome import Outcome
from tests.job.storage import KEY


@dataclass
class Run:
    outcome: Outcome
    messages: list[str] = field(default_factory=list)


def run(job: JobDescription, rounds: list[Event] | None = None, *, wanted: bool = True) -> Run:
    """rounds: what is told after each round of a restore."""
    messages: list[str] = []
    left = list(rounds or [])
    with start_job(job) as process:

        def on_event(event: Event) -> None:
            if event["event"] == "message":
                messages.append(str(event["text"]))
            elif event["event"] == "round":
                process.tell(left.pop(0))

        outcome = process.run(on_event, lambda: None, lambda: wanted)
    return Run(outcome, messages)


def who(work: Path, job: str = "Save.2026-11-23_10.14.28_03") -> DirectorJob:
    return DirectorJob(7, job, "Save", "a-dir", "a-fd", work, 1, 17)


def storage_at(port: int, connect_timeout_s: float = 0.0) -> StorageDaemon:
    return StorageDaemon("127.0.0.1", port, KEY.decode(), connect_timeout_s=connect_timeout_s)


def backup_of(
    tree: Path, work: Path, port: int, *, level: Level = Level.FULL, changes: Changes | None = None, **options: object
) -> NetworkBackup:
    block = Options(signature=Signature.MD5, **options)  # type: ignore[arg-type]
    fileset = FileSet((Include(options=(block,), files=(os.fsencode(tree),)),))
    return NetworkBackup(who(work), level, fileset, default_setup(), changes or Changes(), storage_at(port))


def restore_to(where: Path, work: Path, port: int, **more: object) -> NetworkRestore:
    return NetworkRestore(
        who(work, "Restore.2026-11-23_10.15.28_04"),
        default_setup(),
        storage_at(port),
        os.fsencode(where),
        **more,  # type: ignore[arg-type]
    )
