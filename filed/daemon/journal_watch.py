"""The change journal's watcher as one of the daemon's processes: `Journal Watch` in the conf.

A process of ours stands between the two: it puts the watcher's messages into the daemon's log, and ends it when the daemon ends, however
that happens. A watcher that ends by itself is started again as any process that is kept; its new store is a gap.
"""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from filed.config import FileDaemon
from filed.daemon.journal import STORE, JournalError, watcher_program
from filed.process.system import readable

LOG_BYTES: Final = 64 << 10  # a message of the watcher is one write, and less

log = logging.getLogger("filed")


def journal_store(daemon: FileDaemon) -> Path | None:
    """Where the conf's filesystem agent looks for a watcher's store; None when it looks for none."""
    options = dict(option for agent in daemon.agents if agent.id == "filesystem" for option in agent.options)
    if options.get("journal", "no") == "no":
        return None
    return Path(options.get("journal_directory", STORE))


def check_watch(daemon: FileDaemon) -> tuple[str, ...]:
    """Warnings. Raises ConfigError for what cannot be watched."""
    for path in daemon.journal_watch:
        if not Path(path).is_dir():
            raise daemon.place.error(f'"Journal Watch": there is no directory {path}; name one on each file system')
    if daemon.journal_watch and journal_store(daemon) is None:
        return ('"Journal Watch" has no effect: no Job uses the journal without plugin filesystem { journal = auto }',)
    return ()


def keep_watch(store: Path, paths: Sequence[str], cancel_pipe: int) -> None:
    """A watcher until the cancel pipe rings. Raises JournalError when it ends before."""
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    command: list[str | Path] = [watcher_program(), store, *paths]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as watcher:
        assert watcher.stderr is not None
        messages = watcher.stderr.fileno()
        waited_for = {messages, cancel_pipe}
        while messages in waited_for:
            ready = readable(*waited_for)
            if messages in ready:
                data = os.read(messages, LOG_BYTES)
                for line in data.decode("utf-8", "replace").splitlines():
                    log.warning("journal: %s", line)
                waited_for -= set() if data else {messages}
            if cancel_pipe in ready:
                watcher.terminate()
                waited_for.discard(cancel_pipe)
    if cancel_pipe in waited_for:
        raise JournalError(f"the watcher ended with code {watcher.returncode}")
