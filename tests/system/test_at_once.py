"""Several commands upon one directory at the same time."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.system.conftest import Store, some_files
from tests.system.odd_tree import noise
from tests.system.program import Running
from tests.system.trees import assert_same, survey


def test_two_backups_at_once_are_both_good(memory: Path) -> None:
    store = Store(memory / "volumes")
    trees = [some_files(memory, seed=seed) for seed in (1, 2, 3)]
    for round_ in range(3):
        running = [
            Running("backup", "-s", store.path, "--job", f"Job {seed}", "--level", "incremental", tree)
            for seed, tree in enumerate(trees)
        ]
        ended = [one.ended() for one in running]
        assert [ran.code for ran in ended] == [0, 0, 0], "\n".join(map(str, ended))
        for tree in trees:
            (tree / "d" / "file 1").write_bytes(noise(2_000_000, round_))
    jobs = store.jobs()
    assert [job["status"] for job in jobs] == ["T"] * 9
    assert len({job["job"] for job in jobs}) == 9
    assert len(list(store.path.glob("Vol-*"))) <= 3
    store("verify")
    for seed, tree in enumerate(trees):
        (tree / "d" / "file 1").write_bytes(noise(100_001, seed + 2))
        last = max(int(str(job["jobid"])) for job in jobs if job["name"] == f"Job {seed}")
        where = memory / f"r{seed}"
        store("restore", str(last), "--where", where)
        shutil.rmtree(where)
    store("catalog", "rebuild")
    assert [job["status"] for job in store.jobs()] == ["T"] * 9


def test_a_restore_does_not_mind_a_backup(memory: Path) -> None:
    tree, store = some_files(memory), Store(memory / "volumes")
    expected = survey(tree)
    store.backup("full", tree)
    other = some_files(memory, seed=7)
    running = [
        Running("backup", "-s", store.path, "--job", "Other", other),
        Running("restore", "-s", store.path, "1", "--where", memory / "r"),
        Running("verify", "-s", store.path, "1"),
        Running("prune", "-s", store.path, "--keep-fulls", "1"),
    ]
    ended = [one.ended() for one in running]
    assert [ran.code for ran in ended] == [0, 0, 0, 0], "\n".join(map(str, ended))
    assert_same(expected, survey(memory / "r" / tree.relative_to("/")))
    assert {job["status"] for job in store.jobs()} == {"T"}
    store("verify")
