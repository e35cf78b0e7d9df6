"""The tests of the journal can fail: with one safeguard of the agent taken out, a change is missed, and they see it."""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import build
from filed.agents import Level, Library, load
from tests.native_host.watching import compile_watcher, eventually, file_system

from .chain import Chain, differences, torn
from .test_journal import Watched

pytestmark = pytest.mark.root
Broken = Callable[..., Watched]


def compiled(into: Path, file: str, old: str, new: str) -> Library:
    """The agent, with a text that is in one of its files once in another wording."""
    root = into / "source"
    for part in ("native_agents/filesystem", "native_agents/sqlite", "abi"):
        shutil.copytree(build.ROOT / part, root / part)
    source = root / "native_agents" / "filesystem" / file
    text = source.read_text()
    assert text.count(old) == 1, f"{file} does not have {old!r} once: adapt the test"
    source.write_text(text.replace(old, new))
    agent = build.read_agent(root / "native_agents" / "filesystem")
    build.compile_agent(root, agent, build.native(), into)
    return load("filesystem", [into])


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_watcher(tmp_path_factory.mktemp("watcher"), sanitize=False)


@pytest.fixture
def broken(tmp_path: Path, program: Path) -> Iterator[Broken]:
    """A watched tree after a Full by an agent with that change."""
    if os.geteuid():
        pytest.skip("only root may watch a file system")
    with ExitStack() as stack:

        def make(file: str, old: str, new: str, kind: str = "tmpfs") -> Watched:
            library = compiled(tmp_path, file, old, new)
            found = Watched(stack.enter_context(file_system(kind)), library, program, tmp_path)
            stack.callback(found.watcher.stop)
            for name in ("a", "b"):
                (found.tree / name).write_text(name)
            (found.tree / "e").mkdir()
            found.watcher.start()
            found.chain.run(Level.FULL)
            return found

        yield make


def misses(chain: Chain) -> list[str]:
    job = chain.run(Level.INCREMENTAL)
    return differences(chain.now(), job.tree) + torn(job)


def test_without_the_table_of_objects_a_change_by_an_outside_name_is_missed(broken: Broken) -> None:
    watched = broken("events.c", "good && i < 2; i++", "good && i < 1; i++")
    os.link(watched.tree / "a", watched.outside / "a")
    watched.chain.run(Level.INCREMENTAL)
    (watched.outside / "a").write_text("from outside")
    assert misses(watched.chain)


def test_without_the_second_round_hard_links_are_torn(broken: Broken) -> None:
    watched = broken("journal.c", "if (j->second || j->broken || !(is_directed(j) || j->left_out))", "if (1)")
    os.link(watched.tree / "b", watched.tree / "e" / "b")
    watched.chain.run(Level.INCREMENTAL)
    (watched.tree / "e").rename(watched.tree / "f")
    assert [text for text in misses(watched.chain) if text.startswith("torn")]


def test_without_the_generation_a_new_directory_is_taken_for_the_old_one(broken: Broken) -> None:
    watched = broken("journal.c", "row.identity == identity;", "row.identity;", "ext4")
    for _ in range(5):
        before = (watched.tree / "e").stat().st_ino
        (watched.tree / "e" / "old").touch()
        watched.chain.run(Level.INCREMENTAL)
        shutil.rmtree(watched.tree / "e")
        (watched.tree / "e").mkdir()
        if (watched.tree / "e").stat().st_ino == before:
            break
    else:
        pytest.skip("this ext4 does not give the number out again")
    assert misses(watched.chain)


def test_without_the_watchers_identity_a_restart_is_not_seen(broken: Broken) -> None:
    watched = broken("journal.c", "strcmp(identity, events_identity(j->events))", "0")
    watched.watcher.stop(signal.SIGKILL)
    (watched.tree / "a").write_text("meanwhile")
    watched.watcher.start()
    for number in range(30):  # events of the new one, as many as the old one had
        (watched.outside / str(number)).touch()
    assert misses(watched.chain)


def test_without_gaps_a_change_while_it_was_unmounted_is_missed(broken: Broken, tmp_path: Path) -> None:
    watched = broken("events.c", "if (since < gap) {", "if (0) {", "ext4")
    watched.chain.run(Level.INCREMENTAL)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    watched.fs.unmount()
    eventually(lambda: watched.watcher.rows("SELECT marked FROM fs") == [(0,)])
    watched.fs.mount(elsewhere)
    (elsewhere / "tree" / "a").write_text("elsewhere")
    subprocess.run(["umount", elsewhere], check=True)
    watched.fs.mount()
    eventually(lambda: watched.watcher.rows("SELECT marked FROM fs") == [(1,)])
    assert misses(watched.chain)


def test_without_the_hot_list_a_mapped_file_is_missed(broken: Broken) -> None:
    watched = broken("mounts.c", "good = state_want_file(s, ino, 0, true);", "good = s != NULL;")
    path = watched.tree / "mapped"
    path.write_bytes(bytes(4096))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 4096) as mapped:
        mapped[0] = 1
        watched.chain.run(Level.INCREMENTAL)
        mapped[0] = 2
        assert misses(watched.chain)


def test_without_stamps_a_job_that_did_not_count_is_lost(broken: Broken) -> None:
    watched = broken("state.c", 'WHERE look > %llu", (unsigned', 'WHERE 0 AND look > %llu", (unsigned')
    (watched.tree / "a").write_text("changed")
    watched.chain.run(Level.INCREMENTAL, counts=False)
    assert misses(watched.chain)


def test_without_the_barrier_the_last_changes_are_missed(broken: Broken) -> None:
    """The reader is held up: the Job does not wait for it."""
    watched = broken(
        "events.c",
        'file = openat(fd, ".", O_TMPFILE',
        'e->barrier = *number = 1; return true; file = openat(fd, ".", O_TMPFILE',
    )
    reader = watched.watcher.reader()
    os.kill(reader, signal.SIGSTOP)
    try:
        (watched.tree / "a").write_text("changed")
        assert misses(watched.chain)
    finally:
        os.kill(reader, signal.SIGCONT)


def test_an_older_state_that_is_believed_misses(broken: Broken, tmp_path: Path) -> None:
    watched = broken("journal.c", "&& state_reaches(j->state, look);", ";")
    (state,) = watched.chain.journal.glob("state-*.sqlite")
    shutil.copy(state, tmp_path / "earlier")
    (watched.tree / "a").unlink()
    (watched.tree / "e" / "new").touch()
    watched.chain.run(Level.INCREMENTAL)
    shutil.rmtree(watched.tree / "e")
    shutil.copy(tmp_path / "earlier", state)
    assert misses(watched.chain)


def test_a_watcher_that_does_not_answer_is_a_walk(broken: Broken) -> None:
    """Not a control, but a shorter patience."""
    watched = broken("events.c", "#define BARRIER_MS 30000", "#define BARRIER_MS 300")
    reader = watched.watcher.reader()
    os.kill(reader, signal.SIGSTOP)
    try:
        (watched.tree / "a").write_text("changed")
        watched.walked("the watcher does not answer")
    finally:
        os.kill(reader, signal.SIGCONT)
    watched.walked("since the last look")
