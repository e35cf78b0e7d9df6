"""Jobs of a real Director with the change journal: restored at each point they are what was there, Accurate or not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.bacula import Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import Shown, shown
from tests.live.reports import report, restored, saved
from tests.native_host.watching import Watcher, compile_watcher

pytestmark = [
    pytest.mark.live,
    pytest.mark.root,
    pytest.mark.skipif(not shutil.which("bacula-dir", path="/usr/sbin:/usr/bin"), reason="no Bacula"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may watch a file system"),
]

JOBS = """
Job { Name = Plain; JobDefs = Common; FileSet = T }
Job { Name = Exact; JobDefs = Common; FileSet = U; Accurate = yes }
"""
OLD = 1_000_000_000


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("source") / "tree"


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal")


@pytest.fixture(scope="module")
def watcher(tmp_path_factory: pytest.TempPathFactory, journal: Path, tree: Path) -> Iterator[Watcher]:
    made = tmp_path_factory.mktemp("watcher")
    program = compile_watcher(made, sanitize=False)
    found = Watcher(program, journal, made / "log", [tree.parent])
    yield found
    found.stop()


@pytest.fixture(scope="module")
def bacula(tmp_path_factory: pytest.TempPathFactory, tree: Path, journal: Path) -> Iterator[Bacula]:
    """With `filed daemon` for a File Daemon, whose filesystem agent uses the journal."""
    file_sets = "".join(
        f'FileSet {{ Name = {name}; Include {{ Options {{ signature = MD5; {more} }} File = "{tree}" }} }}\n'
        for name, more in (("T", ""), ("U", "sparse = yes"))
    )
    with Bacula(tmp_path_factory.mktemp("live")) as made:
        made.write_confs(file_sets=file_sets, jobs=JOBS)
        with made.conf("fd").open("a") as conf:
            conf.write(f'plugin filesystem {{\n  journal = yes\n  journal_directory = "{journal}"\n}}\n')
        made.make_catalog()
        made.start("sd", "dir")
        with FiledDaemon(made):
            yield made


def grow(tree: Path) -> None:
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "d" / "deep").mkdir(parents=True)
    for name in ("a", "gone", "replaced", "d/f", "d/deep/g"):
        (tree / name).write_text(name)
        os.utime(tree / name, (OLD, OLD))
    os.link(tree / "a", tree / "d" / "a too")


def step_one(tree: Path) -> None:
    """What a Job by time alone misses: old times arrive, names go."""
    (tree / "d").rename(tree / "moved")
    (tree / "gone").unlink()
    before = (tree / "replaced").stat()
    (tree / "new").write_text("REPLACED")
    os.utime(tree / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (tree / "new").rename(tree / "replaced")


def step_two(tree: Path) -> None:
    (tree / "moved" / "deep").rename(tree / "deep")
    with (tree / "a").open("a") as file:
        file.write("appended, seen by both names")
    shutil.rmtree(tree / "deep")
    (tree / "deep").write_text("a file now")


def check(bacula: Bacula, job_ids: list[int], tree: Path, expected: Shown) -> None:
    where = restored(bacula, ",".join(map(str, job_ids)), tree)
    assert shown(where) == expected


@pytest.mark.parametrize("name", ["Plain", "Exact"])
@pytest.mark.parametrize("how", ["watched", "alone"])
def test_each_point_of_a_chain_comes_back(bacula: Bacula, tree: Path, watcher: Watcher, name: str, how: str) -> None:
    watcher.stop()
    grow(tree)
    if how == "watched":
        watcher.start()
    points = []
    (full,) = saved(bacula, f"{name} level=Full")
    points.append(([full], shown(tree)))
    step_one(tree)
    (first,) = saved(bacula, f"{name} level=Incremental")
    points.append(([full, first], shown(tree)))
    step_two(tree)
    (second,) = saved(bacula, f"{name} level=Incremental")
    points.append(([full, first, second], shown(tree)))
    (differential,) = saved(bacula, f"{name} level=Differential")
    points.append(([full, differential], shown(tree)))
    (nothing,) = saved(bacula, f"{name} level=Incremental")
    points.append(([full, differential, nothing], shown(tree)))
    said = "\n".join(line for job in (first, second, nothing) for line in report(bacula, job))
    assert said.count("entries looked at") == 3
    assert ("no watcher is running" in said) is (how == "alone")
    for jobs, expected in points:
        check(bacula, jobs, tree, expected)


def test_a_watcher_that_died_costs_a_walk_and_no_file(bacula: Bacula, tree: Path, watcher: Watcher) -> None:
    watcher.stop()
    grow(tree)
    watcher.start()
    (full,) = saved(bacula, "Plain level=Full")
    watcher.stop(9)
    step_one(tree)
    watcher.start()
    (first,) = saved(bacula, "Plain level=Incremental")
    assert "the watcher was started since the last look" in "\n".join(report(bacula, first))
    check(bacula, [full, first], tree, shown(tree))
    step_two(tree)
    (second,) = saved(bacula, "Plain level=Incremental")
    check(bacula, [full, first, second], tree, shown(tree))
