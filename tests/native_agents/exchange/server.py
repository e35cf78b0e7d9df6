"""A simulated Exchange server for tests, and whole Jobs of it as the command line runs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filed.catalog import Level
from filed.job.description import AgentLine
from filed.job.outcome import Severity
from tests.esesim.compile import Built
from tests.system_agents.jobs import Place, Ran, line

SERVICE = "Microsoft Information Store"
ROOT = f"/@EXCHANGE/{SERVICE}"
FIRST, SECOND = "First Storage Group", "Zweite / Gruppe (ä€𝄞)"
MAILBOXES, FOLDERS, ARCHIVE = "Mailbox Store (SRV)", "Öffentliche/Ordner", "Archive"
# As they stand in paths.
SECOND_PART = "Zweite %2F Gruppe (ä€𝄞)"
FOLDERS_PART = "Öffentliche%2FOrdner"
AT_ITS_PLACE = Path("/")


@dataclass
class Exchange:
    """Drives the simulator's program. root: the store's directory."""

    built: Built
    root: Path
    seed: int = field(default=0)

    def run(self, *arguments: object) -> str:
        command = [str(self.built.driver), str(self.root), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stderr.decode()}"
        return done.stdout.decode()

    def write(self, group: str = FIRST, count: int = 40) -> None:
        """Transactions, enough to close a log or two."""
        self.seed += 1
        self.run("write", group, count, self.seed)

    def dump(self, *group: str) -> str:
        return self.run("dump", *group)

    def dismount(self, *groups: str) -> None:
        for group in groups:
            self.run("dismount", group)

    def logs(self, directory: str) -> list[str]:
        """Closed logs on the server's disk."""
        return sorted(path.name for path in (self.root / directory).glob("E??????????.log"))


def make_server(built: Built, root: Path, **settings: object) -> Exchange:
    """Two storage groups, `sg1` with two databases and `sg2` with one."""
    server = Exchange(built, root)
    server.run("create", SERVICE)
    more = [f"{key}={value}" for key, value in settings.items()]
    server.run("add-group", "sg1", FIRST, *more)
    server.run("add-database", FIRST, MAILBOXES, "priv1")
    server.run("add-database", FIRST, FOLDERS, "pub1")
    server.run("add-group", "sg2", SECOND, "base=E01", *more)
    server.run("add-database", SECOND, ARCHIVE, "archive")
    for group in (FIRST, SECOND):
        server.write(group)
    return server


@dataclass
class Jobs:
    """Backups and restores of a server through the host."""

    place: Place
    server: Exchange

    def plugin(self, **options: str) -> AgentLine:
        given = {key.replace("_", "-"): value for key, value in options.items()}
        return line("exchange", library=str(self.server.built.library), **given)

    def backup(
        self,
        level: Level = Level.FULL,
        *,
        files: Sequence[str] = ("/@EXCHANGE/",),
        plugins: Sequence[str] = (),
        **options: str,
    ) -> Ran:
        taken = () if plugins else tuple(os.fsencode(path) for path in files)
        return self.place.backup(self.plugin(**options), files=taken, plugins=tuple(plugins), level=level)

    def restore(self, ran: Ran, where: Path = AT_ITS_PLACE, *, paths: Sequence[str] = (), **options: str) -> Ran:
        return self.place.restore(
            ran.outcome.jobid, where, self.plugin(**options), paths=[os.fsencode(path) for path in paths]
        )

    def names(self, ran: Ran) -> set[str]:
        """What this Job has sent, below the service; directories end in a slash."""
        rows = self.place.tree(ran.outcome.jobid).items()
        return {path.decode().removeprefix(ROOT + "/") for path, row in rows if row.job_id == ran.outcome.jobid} - {
            "",
            ROOT,
        }

    def logs(self, ran: Ran, group: str = FIRST) -> list[str]:
        return sorted(
            name.rpartition("/")[2] for name in self.names(ran) if name.startswith(group) and name.endswith(".log")
        )


def warnings(ran: Ran) -> list[str]:
    return ran.texts(Severity.WARNING)
