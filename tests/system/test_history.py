"""Random lives of trees: whatever happens between backups, every good Job brings back the tree of its time.

Each life is a seed. FILED_LIVES=200 runs more of them; FILED_LIFE=17 only that one.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.changes import Changes
from tests.system.conftest import Store
from tests.system.trees import Survey, assert_same, survey, under, ways

LIVES = int(os.environ.get("FILED_LIVES", "12"))
SEEDS = [int(os.environ["FILED_LIFE"])] if "FILED_LIFE" in os.environ else list(range(LIVES))

GOOD, CANCELED = 0, 130
KINDS_OF_KEEPING = (
    (),
    ("--compress", "gzip1", "--digest", "sha256"),
    ("--compress", "none", "--digest", "none"),
    ("--digest", "xxh3_128", "--no-sparse"),
)


@dataclass(frozen=True, slots=True)
class Known:
    """A good Job, and what the tree was then."""

    jobid: int
    tree: Survey


class Life:
    """One tree, its directory of Volumes, and what is to come back."""

    def __init__(self, place: Path, store_at: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.place = place
        self.tree = place / "tree"
        self.store = Store(store_at / "volumes")
        self.known: list[Known] = []
        self._pruned: set[object] = set()
        self.told: list[str] = [f"seed {seed}"]
        self._numbers = itertools.count()
        self._keeping: tuple[str, ...] = self.rng.choice(KINDS_OF_KEEPING)
        self._limit = self.rng.choice(((), (), ("--max-volume-bytes", "300000")))
        self.tree.mkdir()
        (place / "outside").mkdir()
        self.changes = Changes(self.tree, place / "outside", self.rng)

    def run(self) -> None:
        self.told += self.changes.some(30)
        self._backup("full")
        for _ in range(self.rng.randrange(6, 11)):
            self.told += self.changes.some(self.rng.choice((0, 1, 3, 10)))
            self._job()
            if self.rng.random() < 0.15:
                self._rebuild()
            if self.rng.random() < 0.15:
                self._prune()
        self._check_all()
        self._rebuild()
        self._check_all()
        self._prune()
        self._check_all()
        self.told += self.changes.some(3)
        self._backup("incremental")
        self._check(self.known[-1])

    # -- Jobs ---------------------------------------------------------------------------------------------------

    def _job(self) -> None:
        if self.rng.random() < 0.1:
            self._keeping = self.rng.choice(KINDS_OF_KEEPING)  # another FileSet: a Full
        level = self.rng.choices(("full", "differential", "incremental"), (1, 2, 6))[0]
        if self.rng.random() < 0.15:
            self._canceled(level)
        else:
            self._backup(level)

    def _backup(self, level: str) -> None:
        before = survey(self.tree)
        job = self.store.backup(level, self.tree, *self._keeping, *self._limit)
        self.told.append(f"{level} backup: {job}")
        assert (job["errors"], job["warnings"]) == (0, 0)
        assert survey(self.tree) == before
        self.known.append(Known(int(str(job["jobid"])), before))
        if self.rng.random() < 0.2:
            self.store("verify", "--disk")

    def _canceled(self, level: str) -> None:
        """By Ctrl-C after a moment; sometimes the Job is faster."""
        after_s = self.rng.choice((0.005, 0.01, 0.02, 0.04))
        ran = self.store(
            "backup",
            "--json",
            "--level",
            level,
            self.tree,
            *self._keeping,
            code=(GOOD, CANCELED),
            before=lambda: interrupt_after(after_s),
        )
        self.told.append(f"{level} backup, interrupted: {ran.out}")
        if ran.code == GOOD:
            self.known.append(Known(int(ran.json["jobid"]), survey(self.tree)))

    # -- the directory of Volumes -------------------------------------------------------------------------------

    def _rebuild(self) -> None:
        good = self._good()
        if self.rng.random() < 0.5:
            for path in self.store.path.glob("catalog.sqlite*"):
                path.unlink()
        self.store("catalog", "rebuild")
        self.told.append("rebuild")
        # A Job that was pruned comes back when it is still on a Volume that others need.
        assert good <= self._good() <= good | self._pruned
        self.store("catalog", "check")

    def _good(self) -> set[object]:
        return {job["jobid"] for job in self.store.jobs() if job["status"] in ("T", "W")}

    def _prune(self) -> None:
        rule = self.rng.choice(((), ("--keep-fulls", "1"), ("--keep-fulls", "2"), ("--older-than", "0 seconds")))
        removed = self.store("prune", "--json", *rule).json["removed"]
        self.told.append(f"prune {rule}: {removed}")
        self._pruned |= set(removed)
        self.known = [known for known in self.known if known.jobid not in removed]
        assert self.known, "the newest good backup stays"
        self.store("catalog", "check")

    # -- what comes back ----------------------------------------------------------------------------------------

    def _check_all(self) -> None:
        for known in self.known:
            self._check(known)
        self.store("verify")

    def _check(self, known: Known) -> None:
        assert_same(known.tree, self._restored(known, []))
        paths = self.rng.sample(sorted(known.tree), min(len(known.tree), self.rng.choice((1, 1, 2, 3))))
        found = self._restored(known, paths)
        assert_same(under(known.tree, paths), under(found, paths))
        on_the_way = set(itertools.chain.from_iterable(ways(path) for path in paths))
        assert found.keys() - under(found, paths).keys() <= on_the_way

    def _restored(self, known: Known, paths: list[bytes]) -> Survey:
        where = self.place / f"restored-{next(self._numbers)}"
        self.told.append(f"restore JobId {known.jobid} {paths}")
        self.store(
            "restore",
            str(known.jobid),
            "--where",
            where,
            *(os.path.join(os.fsencode(self.tree), path) if path else os.fsencode(self.tree) for path in paths),
        )
        found = survey(where / self.tree.relative_to("/"))
        shutil.rmtree(where)
        return found


def interrupt_after(seconds: float) -> None:
    """For a child: Ctrl-C will come."""
    signal.signal(signal.SIGALRM, lambda _number, _frame: os.kill(os.getpid(), signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, seconds)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_good_job_brings_back_the_tree_of_its_time(seed: int, place: Path, memory: Path) -> None:
    life = Life(place if seed % 2 else memory, memory, seed)
    try:
        life.run()
    except BaseException as error:
        error.add_note("\n".join(life.told[-40:]))
        raise
