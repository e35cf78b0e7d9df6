"""The watcher notes every name that is touched, or says that it may have missed some."""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.native_host.watching import FileSystem, Watcher, compile_watcher, eventually, file_system, fill

pytestmark = pytest.mark.root
Watch = Callable[..., Watcher]


def test_each_operation_is_noted_by_the_names_it_touches(any_fs: FileSystem, watch: Watch) -> None:
    top = any_fs.path
    for name in ("d", "d/sub", "e"):
        (top / name).mkdir()
    for name in (
        "written",
        "mode",
        "owner",
        "attribute",
        "times",
        "cut",
        "gone",
        "moved",
        "d/moved dir's child",
        "one",
    ):
        (top / name).write_text("x")
    os.link(top / "one", top / "two")
    watcher = watch(top)
    with (top / "written").open("a") as file:
        file.write("y")
    (top / "mode").chmod(0o600)
    os.chown(top / "owner", 1, 1)
    os.setxattr(top / "attribute", "trusted.t", b"x")
    os.utime(top / "times", (1, 1))
    os.truncate(top / "cut", 0)
    (top / "gone").unlink()
    (top / "moved").rename(top / "e" / "arrived")
    (top / "d").rename(top / "e" / "d2")
    (top / "made").mkdir()
    (top / "link").symlink_to("made")
    os.mkfifo(top / "fifo")
    (top / "e" / "d2" / "sub").rmdir()
    watcher.wait_for(top / "last")
    names = [
        "written",
        "mode",
        "owner",
        "attribute",
        "times",
        "cut",
        "gone",
        "moved",
        "arrived",
        "d",
        "d2",
        "made",
        "link",
        "fifo",
        "sub",
    ]
    assert {name.encode() for name in names} <= watcher.names()
    assert watcher.gap() == (0, "")


def test_another_name_of_a_file_is_known_by_its_object(any_fs: FileSystem, watch: Watch) -> None:
    (any_fs.path / "one").write_text("x")
    watcher = watch(any_fs.path)
    os.link(any_fs.path / "one", any_fs.path / "two")  # its first name is not in any event
    watcher.wait_for(any_fs.path / "last")
    assert watcher.rows("SELECT * FROM object")


def test_names_are_kept_byte_by_byte(any_fs: FileSystem, watch: Watch) -> None:
    watcher = watch(any_fs.path)
    names = {b"\xff\xfe", b"new\nline", b"x" * 255, b"-", b"a\x01"}
    for name in names:
        os.close(os.open(os.path.join(os.fsencode(any_fs.path), name), os.O_CREAT))
    watcher.wait_for(any_fs.path / "last")
    assert names <= watcher.names()


def test_a_mapping_is_noted_when_it_goes(any_fs: FileSystem, watch: Watch) -> None:
    path = any_fs.path / "mapped"
    path.write_bytes(bytes(4096))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        watcher = watch(any_fs.path)
        mapped[0] = 1
    eventually(lambda: b"mapped" in watcher.names())


def test_a_rename_storm_stays_a_few_rows(tmpfs: FileSystem, watch: Watch) -> None:
    watcher = watch(tmpfs.path)
    one, other = tmpfs.path / "one", tmpfs.path / "other"
    one.touch()
    for _ in range(25_000):
        one.rename(other)
        other.rename(one)
    watcher.wait_for(tmpfs.path / "last")
    assert watcher.names() == {b"one", b"other", b"last"}


def test_more_names_than_fit_into_memory_at_once(tmpfs: FileSystem, tmp_path: Path, watch: Watch) -> None:
    small = compile_watcher(
        tmp_path, [("native_host/watcher/batch.h", "#define BATCH_MOST 100000u", "#define BATCH_MOST 100u")]
    )
    watcher = watch(tmpfs.path, program=small)
    for number in range(3000):
        (tmpfs.path / str(number)).touch()
    watcher.wait_for(tmpfs.path / "last")
    assert {str(number).encode() for number in range(3000)} <= watcher.names()
    assert watcher.gap() == (0, "")


# -- faults: each is either no loss, or a gap ---------------------------------------------------------------------------


def test_a_killed_reader_loses_nothing_that_is_in_the_queue(tmpfs: FileSystem, watch: Watch) -> None:
    watcher = watch(tmpfs.path)
    reader = watcher.reader()
    watcher.wait_for(tmpfs.path / "before")
    watcher.rows("SELECT 1")
    os.kill(reader, signal.SIGSTOP)  # idle: nothing is in flight
    for number in range(1000):
        (tmpfs.path / str(number)).touch()
    os.kill(reader, signal.SIGKILL)
    watcher.wait_for(tmpfs.path / "after")
    assert {str(number).encode() for number in range(1000)} <= watcher.names()


@pytest.mark.parametrize("where", ["before", "behind"])
def test_a_reader_that_dies_with_events_in_hand_leaves_a_gap(
    tmpfs: FileSystem, tmp_path: Path, watch: Watch, where: str
) -> None:
    """It ends once, when it has seen a name, before or behind the transaction."""
    dying = f'if (!access("{tmp_path}/die", F_OK)) {{ unlink("{tmp_path}/die"); _exit(9); }}\n'
    old = "    if (flush(&r))\n      page->in_flight = 0;\n    pause_ms"
    new = (
        f"    {dying}{old}"
        if where == "before"
        else old.replace("if (flush(&r))", f"if (flush(&r)) {{ {dying} }}\n if (!r.unstored)")
    )
    watcher = watch(tmpfs.path, program=compile_watcher(tmp_path, [("native_host/watcher/reader.c", old, new)]))
    (tmp_path / "die").touch()
    (tmpfs.path / "lost").touch()
    eventually(lambda: watcher.gap()[0])
    assert "a reader was ended" in watcher.gap()[1]
    watcher.wait_for(tmpfs.path / "after")
    assert watcher.gap()[0] < watcher.rows("SELECT number FROM dirty WHERE name = x'6166746572'")[0][0]


def test_without_the_word_in_shared_memory_that_loss_would_go_unseen(
    tmpfs: FileSystem, tmp_path: Path, watch: Watch
) -> None:
    """The control of the test above: it can fail."""
    dying = f'    if (!access("{tmp_path}/die", F_OK)) {{ unlink("{tmp_path}/die"); _exit(9); }}\n'
    flush = "    if (flush(&r))\n      page->in_flight = 0;\n    pause_ms"
    changes = [
        ("native_host/watcher/reader.c", flush, dying + flush),
        ("native_host/watcher/reader.c", "  if (page->in_flight)\n", "  if (0)\n"),
    ]
    watcher = watch(tmpfs.path, program=compile_watcher(tmp_path, changes))
    (tmp_path / "die").touch()
    (tmpfs.path / "lost").touch()
    eventually(lambda: not (tmp_path / "die").exists())
    watcher.wait_for(tmpfs.path / "after")
    assert b"lost" not in watcher.names()
    assert watcher.gap() == (0, "")


def test_a_full_queue_is_a_gap(tmpfs: FileSystem, tmp_path: Path, watch: Watch) -> None:
    limited = compile_watcher(tmp_path, [("native_host/watcher/watcher.c", "FAN_UNLIMITED_QUEUE | ", "")])
    watcher = watch(tmpfs.path, program=limited)
    most = int(Path("/proc/sys/fs/fanotify/max_queued_events").read_text())
    os.kill(watcher.reader(), signal.SIGSTOP)
    for number in range(most + 100):
        (tmpfs.path / f"file {number}").touch()
    os.kill(watcher.reader(), signal.SIGCONT)
    eventually(lambda: watcher.gap()[0])
    assert watcher.gap()[1] == "the kernel's queue of events was full"


@pytest.fixture(scope="module")
def stopping_itself(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A watcher whose holder gets the signal $STOP at the place $AT, as if from outside."""
    planted = 'if (getenv("AT") && !strcmp(getenv("AT"), "{}")) kill(getpid(), atoi(getenv("STOP")));\n'
    wait = "      number = sigwaitinfo(waited, NULL);\n"
    ended = '    say("the reader ended with %d; starting another"'
    ready = "    if (!child)\n      become_reader("
    file = "native_host/watcher/watcher.c"
    changes = [
        (file, wait, planted.format("wait") + wait),
        (file, ended, planted.format("ended") + ended),
        (file, ready, planted.format("forked") + ready),
    ]
    return compile_watcher(tmp_path_factory.mktemp("stopping"), changes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("place", ["forked", "wait", "ended"])
def test_a_signal_just_before_the_holder_waits_is_not_lost(
    tmpfs: FileSystem, tmp_path: Path, stopping_itself: Path, place: str, number: int
) -> None:
    watcher = Watcher(stopping_itself, tmp_path / "store", tmp_path / "log", [tmpfs.path])
    with watcher.log.open("wb") as log:
        command = [watcher.program, watcher.store, tmpfs.path]
        environment = {**os.environ, "AT": place, "STOP": str(int(number))}
        watcher.process = subprocess.Popen(command, env=environment, stderr=log)
    if place == "ended":
        eventually(watcher.reader)
        watcher.kill_reader()
    assert watcher.process.wait(60) == 0, watcher.said()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_watcher_that_was_gone_has_a_new_identity(tmpfs: FileSystem, watch: Watch, how: int) -> None:
    watcher = watch(tmpfs.path)
    before, reader = watcher.identity(), watcher.reader()
    watcher.stop(how)
    eventually(lambda: not Path(f"/proc/{reader}").exists())
    (tmpfs.path / "meanwhile").touch()
    watcher.start()
    assert watcher.identity() != before
    assert len(list(watcher.store.glob("events-*.sqlite"))) == 1


def test_a_second_watcher_of_a_store_is_refused(tmpfs: FileSystem, program: Path, watch: Watch) -> None:
    watcher = watch(tmpfs.path)
    second = subprocess.run([program, watcher.store, tmpfs.path], capture_output=True, text=True)
    assert second.returncode == 3
    assert "running already" in second.stderr


def test_unmounted_changed_and_mounted_again_is_a_gap(any_fs: FileSystem, watch: Watch, tmp_path: Path) -> None:
    watcher = watch(any_fs.path)
    watcher.wait_for(any_fs.path / "before")
    any_fs.unmount()
    eventually(lambda: watcher.rows("SELECT marked FROM fs") == [(0,)])
    assert watcher.gap()[1] == "the file system was unmounted"
    first = watcher.gap()[0]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    any_fs.mount(elsewhere)
    (elsewhere / "meanwhile").touch()
    subprocess.run(["umount", elsewhere], check=True)
    any_fs.mount()
    eventually(lambda: watcher.rows("SELECT marked FROM fs") == [(1,)])
    assert watcher.gap()[0] > first
    watcher.wait_for(any_fs.path / "again")


def test_a_full_disk_under_the_store_is_waited_for_and_loses_nothing(
    tmpfs: FileSystem, small: FileSystem, watch: Watch
) -> None:
    watcher = watch(tmpfs.path, store=small.path / "store")
    fill(small.path / "ballast")
    for number in range(3000):
        (tmpfs.path / f"{number} {'x' * 100}").touch()
    eventually(lambda: "cannot store events" in watcher.said())
    (small.path / "ballast").unlink()
    watcher.wait_for(tmpfs.path / "after")
    assert len(watcher.names()) == 3001
    assert watcher.gap() == (0, "")


def test_what_cannot_be_stored_for_long_is_a_gap(
    tmpfs: FileSystem, small: FileSystem, tmp_path: Path, watch: Watch
) -> None:
    changes = [("native_host/watcher/batch.h", "#define BATCH_MOST 100000u", "#define BATCH_MOST 500u")]
    watcher = watch(tmpfs.path, store=small.path / "store", program=compile_watcher(tmp_path, changes))
    fill(small.path / "ballast")
    # Four times what the reader holds; and so few that all fits once there is room again.
    for number in range(2_000):
        (tmpfs.path / f"{number} {'x' * 100}").touch()
    eventually(lambda: "there is no memory for more" in watcher.said())
    (small.path / "ballast").unlink()
    eventually(lambda: watcher.gap()[0])
    assert "could not be stored" in watcher.gap()[1]
    watcher.wait_for(tmpfs.path / "after")


@pytest.mark.parametrize("kind", ["proc", "missing", "subvolume"])
def test_what_cannot_be_watched_is_refused_with_the_reason(tmp_path: Path, program: Path, kind: str) -> None:
    if kind == "subvolume":
        if not shutil.which("mkfs.btrfs"):
            pytest.skip("no mkfs.btrfs")
        with file_system("btrfs") as made:
            subprocess.run(["btrfs", "-q", "subvolume", "create", made.path / "sub"], check=True)
            ran = subprocess.run([program, tmp_path / "store", made.path / "sub"], capture_output=True, text=True)
        wanted = "btrfs subvolume"
    else:
        path, wanted = ("/proc", "only ext4, xfs, btrfs and tmpfs") if kind == "proc" else (tmp_path / "x", "No such")
        ran = subprocess.run([program, tmp_path / "store", path], capture_output=True, text=True)
    assert ran.returncode == 4
    assert wanted in ran.stderr
