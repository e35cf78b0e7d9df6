"""With the journal a Job lists exactly what changed since its base, with a watcher and without."""

from __future__ import annotations

import mmap
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from filed.agents import Level, Library, Outcome, StateWhy, Verdict, Want
from tests.native_host.watching import FileSystem, Watcher, compile_watcher, eventually, file_system
from tests.system.changes import Changes

from .chain import Chain, Done, JournalHost, Mutator, differences, torn

DOUBTED_NS = 50_000_000
"""A file that was changed so short a time ago, or a shorter one, may be listed once more: a later change could have the same time."""
FULL, DIFFERENTIAL, INCREMENTAL = Level.FULL, Level.DIFFERENTIAL, Level.INCREMENTAL


@pytest.fixture
def tree(open_tmp: Path) -> Path:
    top = open_tmp / "tree"
    (top / "d" / "deep").mkdir(parents=True)
    (top / "e").mkdir()
    (top / "a").write_text("a")
    (top / "d" / "f").write_text("f")
    (top / "d" / "deep" / "g").write_text("g")
    old = 1_000_000_000
    for path in (top / "d" / "f", top / "d" / "deep" / "g"):
        os.utime(path, (old, old))
    eventually(lambda: time.time_ns() - max(path.stat().st_ctime_ns for path in top.rglob("*")) > DOUBTED_NS)
    return top


def named(tree: Path, *names: str) -> set[bytes]:
    return {os.fsencode(tree / name.rstrip("/")) + b"/" * name.endswith("/") for name in names}


# -- without a watcher --------------------------------------------------------------------------------------------------


@pytest.fixture
def alone(library: Library, tree: Path, tmp_path: Path) -> Chain:
    return Chain.of(library, tmp_path / "journal", tree, use="auto")


def test_nothing_changed_is_nothing_sent(alone: Chain) -> None:
    alone.run(FULL)
    alone.run(INCREMENTAL)
    job = alone.run(INCREMENTAL)
    assert (job.listed, job.deleted, job.named) == (set(), set(), 1)  # the File line's own


def test_all_names_of_a_file_are_sent_when_one_of_them_moved(alone: Chain, tree: Path) -> None:
    os.link(tree / "a", tree / "d" / "also a")
    alone.run(FULL)
    alone.run(INCREMENTAL)
    (tree / "d").rename(tree / "moved")
    job = alone.run(INCREMENTAL)
    assert named(tree, "a", "moved/also a") <= job.listed
    assert differences(alone.now(), job.tree) + torn(job) == []


def test_a_renamed_directory_is_sent_with_all_that_is_in_it(alone: Chain, tree: Path) -> None:
    alone.run(FULL)
    alone.run(INCREMENTAL)
    (tree / "d").rename(tree / "e" / "d")
    job = alone.run(INCREMENTAL)
    assert job.listed == named(tree, "/", "e/", "e/d/", "e/d/f", "e/d/deep/", "e/d/deep/g")
    assert job.deleted == named(tree, "d/", "d/f", "d/deep/", "d/deep/g")
    assert differences(alone.now(), job.tree) == []


def test_a_replaced_file_with_the_times_and_size_of_the_old_one_is_seen(alone: Chain, tree: Path) -> None:
    alone.run(FULL)
    alone.run(INCREMENTAL)
    before = (tree / "a").stat()
    (tree / "new").write_text("b")
    os.utime(tree / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (tree / "new").rename(tree / "a")
    job = alone.run(INCREMENTAL)
    assert named(tree, "a") <= job.listed
    assert differences(alone.now(), job.tree) == []


def test_a_file_that_becomes_a_directory_and_back(alone: Chain, tree: Path) -> None:
    alone.run(FULL)
    (tree / "a").unlink()
    (tree / "a").mkdir()
    (tree / "a" / "in it").write_text("x")
    job = alone.run(INCREMENTAL)
    assert job.deleted == named(tree, "a")
    assert differences(alone.now(), job.tree) == []
    shutil.rmtree(tree / "a")
    (tree / "a").write_text("a file")
    job = alone.run(INCREMENTAL)
    assert job.deleted == named(tree, "a/", "a/in it")
    assert differences(alone.now(), job.tree) == []


def test_a_job_that_did_not_count_is_saved_again(alone: Chain, tree: Path) -> None:
    alone.run(FULL)
    (tree / "a").write_text("changed")
    (tree / "d" / "f").unlink()
    alone.run(INCREMENTAL, counts=False)
    job = alone.run(INCREMENTAL)
    assert named(tree, "a") <= job.listed
    assert named(tree, "d/f") == job.deleted
    assert differences(alone.now(), job.tree) == []


def test_a_differential_has_all_since_the_full(alone: Chain, tree: Path) -> None:
    alone.run(FULL)
    (tree / "a").write_text("changed")
    alone.run(INCREMENTAL)
    (tree / "d" / "f").unlink()
    job = alone.run(DIFFERENTIAL)
    assert named(tree, "a") <= job.listed
    assert job.deleted == named(tree, "d/f")
    assert differences(alone.now(), job.tree) == []


def test_a_job_that_fails_half_way_leaves_the_state_as_it_was(alone: Chain, tree: Path) -> None:
    alone.run(FULL)
    (tree / "a").write_text("changed")
    assert alone.run(INCREMENTAL, fail_after=0) is None
    job = alone.run(INCREMENTAL)
    assert named(tree, "a") <= job.listed


def test_what_could_not_be_read_is_not_taken_for_saved(library: Library, open_tmp: Path, tmp_path: Path) -> None:
    """A file that goes away between being listed and being opened, and comes back as it was."""
    tree = open_tmp / "t"
    tree.mkdir()
    (tree / "f").write_text("f")
    chain = Chain.of(library, tmp_path / "journal", tree, use="auto")
    host = JournalHost()
    with chain.job(FULL, host, None) as (job, _):
        page = job.next_page()
        assert page is not None
        (tree / "f").rename(open_tmp / "aside")
        wanted = [Want(entry.cookie, entry.streams, 0) for entry, _ in page]
        assert [item.trouble for item in chain.driver.fetched(job, wanted)].count("failed") == 1
        assert job.next_page() is None
        job.commit()
        job.end(Outcome.DONE)
    with closing(sqlite3.connect(state_of(chain))) as state:
        assert state.execute("SELECT count(*) FROM again").fetchone() == (1,)


def test_a_directory_left_out_by_its_marker_comes_back_without_it(library: Library, tree: Path, tmp_path: Path) -> None:
    chain = Chain.of(library, tmp_path / "journal", tree, use="auto", markers=(b".nobackup",))
    chain.run(FULL)
    (tree / "d" / ".nobackup").touch()
    job = chain.run(INCREMENTAL)
    assert job.deleted == named(tree, "d/", "d/f", "d/deep/", "d/deep/g")
    assert differences(chain.now(), job.tree) == []
    (tree / "d" / ".nobackup").unlink()
    job = chain.run(INCREMENTAL)
    assert named(tree, "d/", "d/f", "d/deep/", "d/deep/g") <= job.listed
    assert differences(chain.now(), job.tree) == []


def test_nobody_else_may_read_the_names_in_a_state(alone: Chain) -> None:
    alone.run(FULL)
    assert [path.stat().st_mode & 0o777 for path in alone.journal.iterdir()] == [0o600] * 2
    assert alone.journal.stat().st_mode & 0o777 == 0o700


def test_a_file_line_within_another(library: Library, tree: Path, tmp_path: Path) -> None:
    chain = Chain.of(library, tmp_path / "journal", tree, tree / "d", use="auto")
    chain.run(FULL)
    (tree / "d" / "f").unlink()
    (tree / "a").unlink()
    job = chain.run(INCREMENTAL)
    assert job.deleted == named(tree, "a", "d/f")
    assert differences(chain.now(), job.tree) == []


def test_a_restore_in_between_changes_nothing(alone: Chain, tree: Path) -> None:
    """The host then keeps the state back; what the restore wrote shows as any other change."""
    alone.run(FULL)
    (tree / "d").rename(tree / "moved")
    (tree / "a").write_text("restored")
    alone.restored = StateWhy.RESTORED
    job = alone.run(INCREMENTAL)
    assert "does not reach back" not in job.said
    assert differences(alone.now(), job.tree) == []


def test_a_full_proves_and_repairs(alone: Chain, tree: Path) -> None:
    alone.run(FULL)
    for _ in range(5):
        (tree / "a").unlink(missing_ok=True)
        alone.run(FULL)
        (tree / "a").write_text("again")
        job = alone.run(INCREMENTAL)
        assert named(tree, "a") <= job.listed
        assert differences(alone.now(), job.tree) == []


# -- faults of the state ------------------------------------------------------------------------------------------------


def state_of(chain: Chain) -> Path:
    (path,) = chain.journal.glob("state-*.sqlite")
    return path


def test_a_state_from_an_earlier_day_is_not_believed(alone: Chain, tree: Path, tmp_path: Path) -> None:
    """After a power cut, or restored from a backup: the Job named knows more than the state."""
    alone.run(FULL)
    shutil.copy(state_of(alone), tmp_path / "earlier")
    (tree / "a").write_text("changed")
    alone.run(INCREMENTAL)
    shutil.copy(tmp_path / "earlier", state_of(alone))
    job = alone.run(INCREMENTAL)
    assert "does not reach back" in job.said
    assert differences(alone.now(), job.tree) == []


@pytest.mark.parametrize("damage", ["truncated", "overwritten", "empty", "gone", "text"])
def test_a_damaged_state_is_begun_anew(alone: Chain, tree: Path, damage: str) -> None:
    for number in range(300):
        (tree / "d" / f"{number} {'x' * 100}").touch()
    alone.run(FULL)
    path = state_of(alone)
    size = path.stat().st_size
    if damage == "truncated":
        os.truncate(path, size // 2 // 4096 * 4096)
    elif damage == "overwritten":
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(random.Random(1).randbytes(size - 4096))
    elif damage == "empty":
        os.truncate(path, 0)
    elif damage == "gone":
        path.unlink()
    else:
        path.write_text("this is no database")
    (tree / "a").write_text("changed")
    job = alone.run(INCREMENTAL)
    assert differences(alone.now(), job.tree) == []
    assert job.complete
    (tree / "a").write_text("changed again")
    job = alone.run(INCREMENTAL)
    assert differences(alone.now(), job.tree) == []


def test_a_state_that_cannot_be_written_costs_no_job(library: Library, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file stands there")
    chain = Chain.of(library, tmp_path / "journal", tree, use="auto")
    job = chain.run(FULL)
    assert "not used in this Job" in job.said
    assert job.state is None
    assert differences(chain.now(), job.tree) == []
    job = chain.run(INCREMENTAL)
    assert job.complete


def test_a_seal_that_was_lost_is_a_walk_of_everything(alone: Chain, tree: Path) -> None:
    alone.run(FULL)
    job = alone.run(INCREMENTAL)
    alone.good[-1] = replace(job, state=None)
    (tree / "d" / "f").unlink()
    (tree / "a").write_text("changed")
    job = alone.run(INCREMENTAL)
    assert job.complete
    assert differences(alone.now(), job.tree) == []


def test_a_clock_that_was_set_back_a_day_changes_nothing(alone: Chain, tree: Path) -> None:
    """The looks of a state are numbered by the time: here they are of tomorrow."""
    alone.run(FULL)
    alone.run(INCREMENTAL)
    day = 86_400 * 1_000_000
    with closing(sqlite3.connect(state_of(alone))) as state:
        state.execute("UPDATE look SET number = number + ?", (day,))
        state.execute("UPDATE changed SET look = look + ?", (day,))
        state.commit()
    sealed, form = alone.good[-1].state
    kind, identity, look = sealed.split()
    alone.good[-1] = replace(alone.good[-1], state=(b"%s %s %d" % (kind, identity, int(look) + day), form))
    for content in ("changed", "once more"):
        (tree / "a").write_text(content)
        job = alone.run(INCREMENTAL)
        assert job.listed == named(tree, "a")
        assert differences(alone.now(), job.tree) == []


@pytest.mark.root
def test_a_state_on_a_read_only_disk_costs_no_job(library: Library, tree: Path) -> None:
    if os.geteuid():
        pytest.skip("only root may mount")
    with file_system("tmpfs") as made:
        chain = Chain.of(library, made.path / "journal", tree, use="auto")
        chain.run(FULL)
        subprocess.run(["mount", "-o", "remount,ro", made.path], check=True)
        (tree / "a").write_text("changed")
        job = chain.run(INCREMENTAL)
        assert "not used in this Job" in job.said
        assert job.complete


@pytest.mark.root
def test_a_full_disk_under_the_state_costs_no_job(library: Library, tree: Path) -> None:
    for number in range(3000):
        (tree / "d" / f"{number} {'x' * 100}").touch()
    with file_system("tmpfs", 300 << 10) as small:
        chain = Chain.of(library, small.path / "journal", tree, use="auto")
        job = chain.run(FULL)
        assert "the state cannot be kept" in job.said
        assert differences(chain.now(), job.tree) == []
        (tree / "a").write_text("changed")
        job = chain.run(INCREMENTAL)
        assert differences(chain.now(), job.tree) == []


# -- with a watcher ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def watcher_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_watcher(tmp_path_factory.mktemp("watcher"), sanitize=False)


class Watched:
    """A new file system with a tree on it, its watcher, and a chain of Jobs."""

    def __init__(self, made: FileSystem, library: Library, program: Path, place: Path) -> None:
        self.fs = made
        self.tree = made.path / "tree"
        self.outside = made.path / "outside"
        self.tree.mkdir()
        self.outside.mkdir()
        self.watcher = Watcher(program, place / "journal", place / "watcher.log", [made.path])
        self.chain = Chain.of(library, place / "journal", self.tree)

    def directed(self, level: Level = INCREMENTAL) -> None:
        """A Job that must not walk, and must be right."""
        job = self.chain.run(level)
        assert job.directed, job.said
        self.check(job)

    def walked(self, why: str) -> None:
        """A Job that must walk, say why, and be right."""
        job = self.chain.run(INCREMENTAL)
        assert not job.directed
        assert why in job.said
        self.check(job)

    def check(self, job: Done) -> None:
        assert differences(self.chain.now(), job.tree) + torn(job) == [], job.said


@pytest.fixture(params=["tmpfs", "ext4", "xfs", "btrfs"])
def watched(
    request: pytest.FixtureRequest, library: Library, watcher_program: Path, tmp_path: Path
) -> Iterator[Watched]:
    if os.geteuid():
        pytest.skip("only root may watch a file system")
    if request.param != "tmpfs" and not shutil.which(f"mkfs.{request.param}"):
        pytest.skip(f"no mkfs.{request.param}")
    with file_system(request.param) as made:
        found = Watched(made, library, watcher_program, tmp_path)
        try:
            yield found
        finally:
            found.watcher.stop()


only_tmpfs = pytest.mark.parametrize("watched", ["tmpfs"], indirect=True)
only_ext4 = pytest.mark.parametrize("watched", ["ext4"], indirect=True)


def started(watched: Watched) -> Path:
    """With a few files, a Full, and one Incremental."""
    tree = watched.tree
    (tree / "d" / "deep").mkdir(parents=True)
    (tree / "e").mkdir()
    for name in ("a", "d/f", "d/deep/g"):
        (tree / name).write_text(name)
    watched.watcher.start()
    watched.chain.run(FULL)
    return tree


def test_only_what_was_touched_is_looked_at(watched: Watched) -> None:
    tree = started(watched)
    watched.directed()
    assert watched.chain.good[-1].listed == set()
    (tree / "d" / "deep" / "g").write_text("changed")
    watched.directed()
    assert watched.chain.good[-1].listed == named(tree, "d/deep/g")
    (tree / "d").rename(tree / "e" / "d")
    watched.directed()
    assert watched.chain.good[-1].deleted == named(tree, "d/", "d/f", "d/deep/", "d/deep/g")
    (tree / "e" / "d" / "f").unlink()
    watched.directed(DIFFERENTIAL)
    watched.directed()


@only_tmpfs
def test_an_estimate_tells_the_same_and_changes_nothing(watched: Watched) -> None:
    tree = started(watched)
    (tree / "a").write_text("changed")
    wanted = watched.chain.estimate(INCREMENTAL)
    assert wanted == named(tree, "a")
    assert watched.chain.estimate(INCREMENTAL) == wanted
    watched.directed()
    assert watched.chain.good[-1].listed == wanted


@only_tmpfs
def test_a_name_outside_of_the_fileset_changes_the_ones_inside(watched: Watched) -> None:
    tree = started(watched)
    os.link(tree / "a", watched.outside / "a")
    watched.directed()
    with (watched.outside / "a").open("a") as file:
        file.write("from outside")
    watched.directed()
    assert watched.chain.good[-1].listed == named(tree, "a")
    (watched.outside / "a").unlink()
    watched.directed()


@only_tmpfs
def test_a_new_name_brings_the_other_names_of_its_file(watched: Watched) -> None:
    """Whatever comes first in the order of names, and below a directory that is moved, too."""
    tree = started(watched)
    for name in ("a first", "d/in it", "z last"):
        os.link(tree / "a", tree / name)
    watched.directed()
    (tree / "d").rename(tree / "moved")
    watched.directed()
    assert named(tree, "a", "a first", "moved/in it", "z last") <= watched.chain.good[-1].listed
    watched.directed()
    assert watched.chain.good[-1].listed == set()


@only_tmpfs
def test_names_of_any_bytes_and_deep_ones(watched: Watched) -> None:
    tree = os.fsencode(started(watched))
    deep = tree
    for name in (b"\xff\xfe", b"new\nline", b"a\x01", b"x" * 255, b"-", b"y" * 255):
        deep += b"/" + name
        os.mkdir(deep)
    watched.directed()
    with open(deep + b"/\x01", "wb") as file:
        file.write(b"x")
    with open(tree + b"/a-", "wb") as file:
        file.write(b"sorts between a and what is in a directory a")
    watched.directed()
    shutil.rmtree(tree + b"/\xff\xfe")
    watched.directed()


@only_tmpfs
def test_a_marker_put_there_and_taken_away(watched: Watched, library: Library) -> None:
    tree = started(watched)
    watched.chain = Chain.of(library, watched.chain.journal, tree, markers=(b".nobackup",))
    watched.chain.run(FULL)
    (tree / "d" / ".nobackup").touch()
    watched.directed()
    assert watched.chain.good[-1].deleted == named(tree, "d/", "d/f", "d/deep/", "d/deep/g")
    (tree / "d" / "unseen").touch()
    watched.directed()
    (tree / "d" / ".nobackup").unlink()
    watched.directed()
    assert named(tree, "d/", "d/f", "d/unseen") <= watched.chain.good[-1].listed


@only_tmpfs
def test_a_directory_that_is_gone_through_and_not_saved(watched: Watched) -> None:
    tree = started(watched)
    watched.chain.rules[os.fsencode(tree / "d")] = Verdict.DESCEND
    watched.chain.run(FULL)
    (tree / "d" / "f").write_text("changed")
    (tree / "d" / "new").touch()
    watched.directed()


@only_tmpfs
def test_what_happens_behind_the_look_is_of_the_next_job(watched: Watched) -> None:
    """Changed after it was listed, before the Job ends."""
    tree = started(watched)
    watched.chain.count += 1
    (tree / "a").write_text("changed")
    host = JournalHost()
    with watched.chain.job(INCREMENTAL, host, watched.chain.good[-1]) as (job, _):
        while job.next_page() is not None:
            (tree / "e" / "while it runs").write_text("x")
        job.end(Outcome.DONE)
    watched.directed()


# -- faults of the watcher ---------------------------------------------------------------------------------------------


@only_tmpfs
def test_without_a_watcher_it_walks_and_says_so(watched: Watched) -> None:
    tree = started(watched)
    watched.watcher.stop()
    (tree / "a").write_text("changed")
    watched.walked("no watcher is running")
    watched.watcher.start()
    watched.walked("the watcher was started since")
    watched.directed()


@only_tmpfs
def test_a_watcher_that_was_killed_and_came_back(watched: Watched) -> None:
    tree = started(watched)
    watched.watcher.stop(signal.SIGKILL)
    (tree / "a").write_text("changed")
    watched.watcher.start()
    watched.walked("the watcher was started since")


@only_tmpfs
def test_a_reader_that_was_killed_loses_nothing(watched: Watched) -> None:
    tree = started(watched)
    watched.watcher.kill_reader()
    (tree / "a").write_text("changed")
    job = watched.chain.run(INCREMENTAL)
    watched.check(job)
    watched.watcher.kill_reader()
    job = watched.chain.run(INCREMENTAL)
    watched.check(job)


@only_ext4
def test_unmounted_changed_elsewhere_and_mounted_again(watched: Watched, tmp_path: Path) -> None:
    tree = started(watched)
    watched.directed()
    watched.fs.unmount()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    watched.fs.mount(elsewhere)
    (elsewhere / "tree" / "a").write_text("changed elsewhere")
    subprocess.run(["umount", elsewhere], check=True)
    watched.fs.mount()
    assert (tree / "a").exists()
    job = watched.chain.run(INCREMENTAL)
    assert not job.directed
    watched.check(job)


@only_tmpfs
def test_something_mounted_below_a_file_line(watched: Watched) -> None:
    tree = started(watched)
    with file_system("tmpfs") as other:
        subprocess.run(["mount", "--bind", other.path, tree / "e"], check=True)
        try:
            (tree / "e" / "on the other").write_text("x")
            watched.walked("something was mounted")
            (tree / "e" / "on the other").write_text("changed")
            watched.walked("more than one file system")
        finally:
            subprocess.run(["umount", tree / "e"], check=True)
    watched.walked("more than one file system")
    watched.directed()


@only_tmpfs
def test_another_directory_in_place_of_a_file_line(watched: Watched) -> None:
    tree = started(watched)
    tree.rename(watched.outside / "old")
    tree.mkdir()
    (tree / "new").write_text("new")
    watched.walked("another directory stands there")
    watched.directed()


@only_ext4
def test_a_new_directory_with_the_inode_number_of_the_old_one(watched: Watched) -> None:
    """ext4 gives the number out again at once; what was in the old one is gone."""
    tree = started(watched)
    for _ in range(5):
        before = (tree / "e").stat().st_ino
        (tree / "e" / "old").touch()
        watched.directed()
        shutil.rmtree(tree / "e")
        (tree / "e").mkdir()
        if (tree / "e").stat().st_ino == before:
            break
    else:
        pytest.skip("it did not")
    watched.directed()
    assert named(tree, "e/old") == watched.chain.good[-1].deleted


@only_tmpfs
def test_two_filesets_on_one_file_system(watched: Watched, library: Library) -> None:
    """What one has seen is kept for the other."""
    tree = started(watched)
    other = Chain.of(library, watched.chain.journal, tree / "d")
    other.run(FULL)
    for number in range(3):
        (tree / "d" / "f").write_text(f"{number}")
        watched.directed()
    job = other.run(INCREMENTAL)
    assert job.directed
    assert job.listed == named(tree, "d/f")
    assert watched.watcher.rows("SELECT count(*) FROM reader") == [(2,)]


@only_tmpfs
def test_events_that_were_deleted_are_missed(watched: Watched) -> None:
    """By a Job of another FileSet, after this one had not come for so long that it was forgotten."""
    tree = started(watched)
    watched.chain.run(INCREMENTAL)
    (tree / "a").write_text("changed")
    watched.watcher.wait_for(watched.outside / "now")
    watched.watcher.rows("DELETE FROM reader")
    other = Chain.of(watched.chain.binary, watched.chain.journal, tree / "d")
    other.run(FULL)
    watched.walked("have been deleted")


@only_tmpfs
def test_events_that_may_be_missing_are_a_walk(watched: Watched) -> None:
    """As the watcher notes them after a full queue, a reader that died with events in its hand, an unmount."""
    tree = started(watched)
    watched.chain.run(INCREMENTAL)
    (tree / "a").write_text("changed")
    watched.watcher.wait_for(watched.outside / "now")
    number = "(SELECT value FROM about WHERE name = 'number')"
    watched.watcher.rows(f"UPDATE fs SET gap = {number}, why = 'the queue was full'")
    watched.walked("events may be missing: the queue was full")
    watched.directed()


@only_tmpfs
@pytest.mark.parametrize("damage", ["gone", "text"])
def test_a_damaged_store_is_a_walk(watched: Watched, damage: str) -> None:
    tree = started(watched)
    watched.chain.run(INCREMENTAL)
    store = watched.watcher.store / (watched.watcher.store / "current").read_text().strip()
    (tree / "a").write_text("changed")
    if damage == "gone":
        store.unlink()
    else:
        store.with_name("other").write_text("this is no database" * 1000)
        (watched.watcher.store / "current").write_text("other\n")
    watched.walked("the watcher's store cannot be read")


@only_tmpfs
def test_directories_renamed_in_a_ring_while_a_job_looks(watched: Watched) -> None:
    tree = started(watched)
    for name in ("x", "y", "z"):
        (tree / name).mkdir()
        (tree / name / f"in {name}").write_text(name)
    watched.chain.run(INCREMENTAL)

    def turn() -> None:
        for _ in range(300):
            for old, new in (("x", "w"), ("y", "x"), ("z", "y"), ("w", "z")):
                (tree / old).rename(tree / new)

    mutator = Mutator(turn)
    for _ in range(3):
        watched.chain.run(INCREMENTAL)
    mutator.wait()
    watched.directed()
    watched.directed()


@only_ext4
def test_an_image_behind_a_loop_device_is_saved_in_each_job(watched: Watched) -> None:
    """What is written through the device makes no event of its file."""
    tree = started(watched)
    (tree / "image").write_bytes(bytes(1 << 20))
    ran = subprocess.run(["losetup", "-f", "--show", tree / "image"], check=True, capture_output=True, text=True)
    device = Path(ran.stdout.strip())
    try:
        watched.directed()
        for number in range(1, 3):
            with device.open("r+b", buffering=0) as written:
                written.write(bytes([number]) * 4096)
                os.fsync(written.fileno())
            watched.directed()
            assert named(tree, "image") <= watched.chain.good[-1].listed
    finally:
        subprocess.run(["losetup", "-d", device], check=True)
    watched.directed()


@only_tmpfs
def test_a_mapped_file_is_saved_in_each_job(watched: Watched) -> None:
    """No event comes while it is mapped, and on tmpfs not even its time moves."""
    tree = started(watched)
    (tree / "mapped").write_bytes(bytes(4096))
    with (tree / "mapped").open("r+b") as file, mmap.mmap(file.fileno(), 4096) as mapped:
        watched.directed()
        for number in range(1, 4):
            mapped[0] = number
            watched.directed()
            assert named(tree, "mapped") <= watched.chain.good[-1].listed
    watched.directed()


@only_tmpfs
def test_memory_that_processes_share_is_no_file(watched: Watched) -> None:
    """It has inode numbers of its own, which those of files may be, too."""
    memory = os.memfd_create("shared")
    os.truncate(memory, 4096)
    first = watched.tree / "first"  # a new tmpfs counts from one
    first.touch()
    for _ in range(first.stat().st_ino + 1, os.fstat(memory).st_ino):
        os.close(os.open(watched.tree, os.O_TMPFILE | os.O_WRONLY))
    (watched.tree / "twin").touch()
    tree = started(watched)
    with mmap.mmap(memory, 4096):
        assert (tree / "twin").stat().st_ino == os.fstat(memory).st_ino
        watched.directed()
        watched.directed()
        assert not named(tree, "twin") & watched.chain.good[-1].listed
    os.close(memory)


MISSED_NOTHING = re.compile("what it would have missed: 0 of [1-9]")


def test_a_full_says_that_the_journal_would_have_missed_nothing(watched: Watched) -> None:
    tree = started(watched)
    (tree / "d" / "linked").write_text("x")
    os.link(tree / "d" / "linked", tree / "e" / "also linked")
    watched.chain.run(INCREMENTAL)
    (tree / "a").write_text("changed")
    (tree / "d").rename(tree / "moved")  # with a name of "linked", whose other one stays
    (tree / "moved" / "deep" / "g").unlink()
    (tree / "new" / "below").mkdir(parents=True)
    (tree / "new" / "below" / "file").touch()
    (tree / "e" / "replaced").symlink_to("nowhere")
    job = watched.chain.run(FULL)
    assert MISSED_NOTHING.search(job.said), job.said
    watched.check(job)
    watched.directed()


@only_tmpfs
def test_a_full_finds_what_the_journal_would_have_missed(watched: Watched, tmp_path: Path) -> None:
    """A watcher that loses every event of some names."""
    blind = 'if (name_len && !memcmp(name, "unseen", 6)) return;\n'
    note = "  if (batch_note(&r->batch, fs, handle, handle_len, name, name_len))\n    return;"
    watched.watcher.program = compile_watcher(tmp_path, [("native_host/watcher/reader.c", note, blind + note)])
    tree = watched.tree
    (tree / "unseen and gone").write_text("x")
    started(watched)
    watched.chain.run(INCREMENTAL)
    (tree / "unseen and gone").unlink()
    (tree / "unseen and new").symlink_to("nowhere")
    (tree / "a").write_text("changed")
    job = watched.chain.run(FULL)
    assert "what it would have missed: 2 of " in job.said
    for name in ("gone", "new"):
        assert f"it would have missed {tree}/unseen and {name}" in job.said
    watched.check(job)
    assert "it would have missed /" not in watched.chain.run(FULL).said


@only_tmpfs
def test_a_full_after_a_gap_does_not_say_what_it_cannot_know(watched: Watched) -> None:
    tree = started(watched)
    watched.watcher.stop()
    (tree / "a").write_text("changed")
    watched.watcher.start()
    assert "would have missed" not in watched.chain.run(FULL).said


# -- random lives --------------------------------------------------------------------------------------------------------

LIVES = int(os.environ.get("FILED_LIVES", "1"))
SEEDS = [int(os.environ["FILED_LIFE"])] if "FILED_LIFE" in os.environ else list(range(LIVES))


FAULTS = ("nothing", "nothing", "reader", "watcher", "remount", "state")


class Life:
    """Random changes, by a process of their own while Jobs run; Jobs of random levels, some of them failed; random faults."""

    def __init__(self, watched: Watched, seed: int, faults: tuple[str, ...] = FAULTS) -> None:
        self.rng = random.Random(seed)
        self.watched = watched
        self.faults = faults
        self.told = [f"seed {seed}"]
        self.compared = self.directed = 0
        self.changes = Changes(watched.tree, watched.outside, random.Random(seed + 1))

    def run(self, jobs: int) -> None:
        self.told += self.changes.some(30)
        self.watched.watcher.start()
        self.watched.chain.run(FULL)
        for _ in range(jobs):
            self._busy()
            self._fault()
            self.told += self.changes.some(self.rng.choice((0, 1, 3, 10)))
            self._quiet()

    def _level(self) -> Level:
        return self.rng.choice((INCREMENTAL, INCREMENTAL, INCREMENTAL, INCREMENTAL, DIFFERENTIAL, FULL))

    def _busy(self) -> None:
        """A Job while the tree changes; it may fail, or not count."""
        count, seed = self.rng.choice((5, 20, 60)), self.rng.getrandbits(30)
        self.told.append(f"{count} changes, seed {seed}, while a Job runs")
        watched = self.watched
        mutator = Mutator(lambda: Changes(watched.tree, watched.outside, random.Random(seed)).some(count))
        fail = 0 if self.rng.random() < 0.15 else None
        counts = self.rng.random() < 0.8
        job = watched.chain.run(self._level(), counts=counts, fail_after=fail)
        assert job is None or "it would have missed /" not in job.said, "\n".join([*self.told[-60:], job.said])
        self.told.append(f"  {job and job.level!r}, counts {counts}")
        mutator.wait()

    def _fault(self) -> None:
        fault = self.rng.choice(self.faults)
        watcher = self.watched.watcher
        if fault != "nothing":
            self.told.append(fault)
        if fault == "reader":
            watcher.kill_reader()
        elif fault == "watcher":
            watcher.stop(self.rng.choice((signal.SIGKILL, signal.SIGTERM)))
            self.told += self.changes.some(2)
            if self.rng.random() < 0.7:
                watcher.start()
        elif fault == "remount" and self.watched.fs.kind != "tmpfs":
            self.watched.fs.unmount()
            self.watched.fs.mount()
        elif fault == "state" and self.rng.random() < 0.3:
            state_of(self.watched.chain).unlink()
        if watcher.process is None and self.rng.random() < 0.5:
            watcher.start()

    def _quiet(self) -> None:
        level = self._level()
        job = self.watched.chain.run(level)
        found = differences(self.watched.chain.now(), job.tree) + torn(job)
        self.compared += 1
        self.directed += job.directed
        self.told.append(f"{level!r}: {'directed' if job.directed else 'walked'}: {job.said}")
        assert found == [], "\n".join([*self.told[-60:], *found])
        assert "it would have missed /" not in job.said, "\n".join(self.told[-60:])


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_each_job_has_the_tree_of_its_time(watched: Watched, seed: int) -> None:
    life = Life(watched, seed)
    life.run(10)
    assert life.compared == 10
