"""A minimal, correct backup product over the interface: what the agent is to be, without its choices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from tests.esesim.interface import Backup, BackupSession, Database, Ese, Instance, RestoreSession
from tests.esesim.simulator import GROUP, Store


def nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Saved:
    """One set: streams of databases by path, logs by base name, oldest first."""

    databases: list[Database] = field(default_factory=list)
    streams: dict[str, bytes] = field(default_factory=dict)
    logs: dict[str, bytes] = field(default_factory=dict)

    @property
    def generations(self) -> list[int]:
        return [int(PurePath(name).stem[3:], 16) for name in self.logs]


def open_group(store: Store, kind: Backup, group: str = GROUP) -> tuple[BackupSession, Instance]:
    """Prepare and Setup."""
    session, instances = store.ese.prepare()
    instance = next(one for one in instances if one.name == group)
    try:
        session.setup(instance, kind)
    except BaseException:
        session.end()
        raise
    return session, instance


def save(
    store: Store,
    kind: Backup,
    *,
    truncate: bool = False,
    group: str = GROUP,
    only: Collection[str] | None = None,
    during: Callable[[], None] = nothing,
) -> Saved:
    """A whole backup. only: the databases to take. during: called after each database stream is half read."""
    session, instance = open_group(store, kind, group)
    saved = Saved()
    try:
        if kind != Backup.LOGS_ONLY:
            for database in instance.databases:
                if not database.mounted or (only is not None and database.name not in only):
                    continue
                saved.databases.append(database)
                for path in database.paths:
                    saved.streams[path] = _read(session, path, during)
        for path in session.logs():
            saved.logs[PurePath(path).name] = session.read_file(path)
        if truncate:
            session.truncate()
        session.end_instance(success=True)
    finally:
        session.end()
    return saved


def _read(session: BackupSession, path: str, during: Callable[[], None]) -> bytes:
    handle, size = session.open(path)
    content = bytearray()
    while piece := session.read(handle, 8192):
        if len(content) <= size // 2 < len(content) + len(piece):
            during()
        content += piece
    session.close(handle)
    return bytes(content)


def put_back(
    session: RestoreSession,
    saved: Saved,
    log_path: Path,
    *,
    without: Collection[int] = (),
    only: Collection[str] | None = None,
) -> None:
    """The files of one set, announced and written."""
    for database in saved.databases:
        if only is not None and database.name not in only:
            continue
        for path, destination in zip(database.paths, session.add_database(database), strict=True):
            assert session.open_file(path) == Ese.AT_FILE_LEVEL
            Path(destination).write_bytes(saved.streams[path])
    for (name, content), generation in zip(saved.logs.items(), saved.generations, strict=True):
        if generation not in without:
            assert session.open_file(name) == Ese.AT_FILE_LEVEL
            (log_path / name).write_bytes(content)


def restore(
    store: Store,
    sets: Sequence[Saved],
    *,
    source: str = GROUP,
    target: str | None = None,
    without: Collection[int] = (),
    only: Collection[str] | None = None,
    keep_logs: bool = False,
) -> Path:
    """Full first, then sets of logs; databases must be dismounted. without: generations left away. The log path."""
    session = store.ese.restore(source)
    log_path = Path(session.environment.log_path)
    for number, saved in enumerate(sets):
        if number:
            session = store.ese.reopen(str(log_path))
        put_back(session, saved, log_path, without=without, only=only)
        session.save()
        if number < len(sets) - 1:
            session.close()
    try:
        session.complete(target, keep_logs=keep_logs)
    finally:
        session.close()
    return log_path
