"""Whole Jobs of a simulated Exchange server, as the command line runs them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filed.catalog import Level
from filed.job.description import AgentLine
from filed.process.outcome import JobStatus, Severity
from tests.esesim.interface import ANNOTATION
from tests.esesim.simulator import GROUP, PUBLIC, Store
from tests.system_agents.jobs import Place, Ran, line

ROOT = f"/@EXCHANGE/{ANNOTATION}"
# As they stand in paths.
GROUP_PART, PUBLIC_PART = GROUP.replace("/", "%2F"), PUBLIC.replace("/", "%2F")
OTHER = "Second Storage Group"
AT_ITS_PLACE = Path("/")
FULL, DIFFERENTIAL, INCREMENTAL = Level.FULL, Level.DIFFERENTIAL, Level.INCREMENTAL


@dataclass
class Jobs:
    """Backups and restores of one server through the host. options: of every Job's `plugin exchange` line."""

    place: Place
    store: Store
    library: Path
    options: dict[str, str] = field(default_factory=dict)
    seed: int = 0

    def plugin(self, **options: str) -> AgentLine:
        given = {"library": os.fspath(self.library), **self.options, **options}
        return line("exchange", **{key.replace("_", "-"): value for key, value in given.items() if value})

    def backup(
        self,
        level: Level = FULL,
        *,
        files: Sequence[str] = ("/@EXCHANGE/",),
        plugins: Sequence[str] = (),
        **options: str,
    ) -> Ran:
        paths = () if plugins else tuple(os.fsencode(path) for path in files)
        return self.place.backup(self.plugin(**options), files=paths, plugins=tuple(plugins), level=level)

    def good(self, level: Level = FULL, **options: str) -> Ran:
        """A backup that must end well; with warnings, where there was one."""
        ran = self.backup(level, **options)
        warned = ran.texts(Severity.WARNING)
        assert ran.outcome.status is (JobStatus.WARNINGS if warned else JobStatus.OK), ran.messages
        return ran

    def restore(
        self,
        ran: Ran,
        where: Path = AT_ITS_PLACE,
        *,
        paths: Sequence[str] = (),
        stop: Callable[[], bool] = lambda: False,
        **options: str,
    ) -> Ran:
        wanted = [os.fsencode(path) for path in paths]
        return self.place.restore(ran.outcome.jobid, where, self.plugin(**options), paths=wanted, stop=stop)

    def names(self, ran: Ran) -> list[str]:
        """What this Job has sent, below the service; directories end in a slash."""
        rows = self.place.tree(ran.outcome.jobid).items()
        sent = (os.fsdecode(path) for path, row in rows if row.job_id == ran.outcome.jobid)
        return sorted(
            path.removeprefix(ROOT + "/") for path in sent if path.startswith(ROOT + "/") and path != ROOT + "/"
        )

    def generations(self, ran: Ran, group: str = GROUP_PART) -> list[int]:
        """Of the logs that this Job has sent."""
        names = (name.removeprefix(group + "/") for name in self.names(ran) if name.startswith(group + "/"))
        return [int(Path(name).stem[3:], 16) for name in names if name.endswith(".log")]

    def has_databases(self, ran: Ran, group: str = GROUP_PART) -> bool:
        return any(name.startswith(group) and name.endswith(".edb") for name in self.names(ran))

    def work(self, count: int = 60, group: str = GROUP) -> None:
        """What mailboxes do between two Jobs: enough to close some logs."""
        self.seed += 1
        self.store.write(count, self.seed, group)


def warnings(ran: Ran) -> list[str]:
    return ran.texts(Severity.WARNING)
