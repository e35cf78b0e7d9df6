"""Contents and attributes of what was listed: whole and in pieces, of files that hold still and of files that do not."""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from filed.agents import AgentStream, Change, EntryFlag, EntryType, Kind, Outcome, Severity, Want, WantOption
from filed.agents import Begin as BeginJob
from filed.errors import ItemError, JobCanceled

from .driving import READ_BYTES, Driver, Host, Item, fileset_of

SMALL = 64 << 10


def named(items: list[Item], path: Path) -> Item:
    (found,) = [item for item in items if item.name == os.fsencode(path)]
    return found


def write_sparse(path: Path, size: int, pieces: dict[int, bytes]) -> None:
    with path.open("wb") as file:
        for offset, data in pieces.items():
            file.seek(offset)
            file.write(data)
        file.truncate(size)


# ---- contents ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [0, 1, 4096, SMALL - 1, SMALL, SMALL + 1, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES + 17]
)
def test_a_file_comes_whole_whatever_its_size(driver: Driver, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    item = named(driver.backup(fileset_of(tmp_path)), tmp_path / "file")
    assert (item.data, item.size, item.inline, item.trouble) == (data, size, size <= SMALL, "")


def test_files_may_be_read_again_and_at_any_offset(driver: Driver, tmp_path: Path) -> None:
    contents = {"small": os.urandom(100), "large": os.urandom(2 * READ_BYTES + 5)}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    memory = ctypes.create_string_buffer(READ_BYTES)
    with driver.job(BeginJob(Kind.BACKUP, fileset=fileset_of(tmp_path))) as job:
        page = job.next_page()
        assert page is not None
        files = [entry for entry, _ in page if entry.type == EntryType.REGULAR]
        assert all(entry.flags & EntryFlag.REREAD for entry in files)
        assert not any(entry.flags & EntryFlag.REREAD for entry, _ in page if entry.type != EntryType.REGULAR)
        wants = [Want(entry.cookie, AgentStream.DATA.bit, 0) for entry in files]
        for _ in range(2):
            again = list(driver.fetched(job, wants, None))
            assert {os.path.basename(item.name).decode(): item.data for item in again} == contents
        (large,) = [entry for entry, name in page if name.endswith(b"/large")]
        job.open_stream(large.cookie, AgentStream.DATA, 2 * READ_BYTES)
        chunk = job.read(ctypes.addressof(memory), READ_BYTES)
        assert (chunk.offset, memory.raw[: chunk.len]) == (2 * READ_BYTES, contents["large"][-5:])
        job.close_stream()
        job.end(Outcome.DONE)


def test_many_small_files_fill_many_pages(driver: Driver, tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / str(number)).write_bytes(b"%05d" % number * 13000)
    saved = driver.backup(fileset_of(tmp_path))
    assert len(saved) == 401
    assert all(item.data == b"%05d" % int(os.path.basename(item.name)) * 13000 for item in saved[:-1])


def test_holes_are_gaps(driver: Driver, tmp_path: Path) -> None:
    block = b"data" * 16384
    size = 20 << 30
    write_sparse(tmp_path / "file", size, {0: block, 1 << 30: block, (5 << 30) + 12345 * 4096: block})
    item = named(driver.backup(fileset_of(tmp_path)), tmp_path / "file")
    assert item.size == size
    assert sum(len(piece) for _, piece in item.pieces) == 3 * len(block)
    assert {offset for offset, _ in item.pieces} == {0, 1 << 30, (5 << 30) + 12345 * 4096}


def test_a_file_that_is_all_hole(driver: Driver, tmp_path: Path) -> None:
    write_sparse(tmp_path / "file", 1 << 40, {})
    item = named(driver.backup(fileset_of(tmp_path)), tmp_path / "file")
    assert (item.pieces, item.size, item.trouble) == ([], 1 << 40, "")


def test_a_hole_in_front_and_data_at_the_end(driver: Driver, tmp_path: Path) -> None:
    write_sparse(tmp_path / "file", (1 << 30) + 4096, {1 << 30: b"x" * 4096})
    item = named(driver.backup(fileset_of(tmp_path)), tmp_path / "file")
    assert item.pieces == [(1 << 30, b"x" * 4096)]
    assert item.size == (1 << 30) + 4096


def test_a_hard_link_is_told_by_its_numbers(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "d").mkdir()
    os.link(tmp_path / "a", tmp_path / "d" / "b")
    saved = driver.backup(fileset_of(tmp_path))
    first, second = named(saved, tmp_path / "a").entry, named(saved, tmp_path / "d" / "b").entry
    assert (first.dev, first.ino, first.nlink) == (second.dev, second.ino, 2)


@pytest.fixture
def environment() -> Iterator[Callable[[int], Path]]:
    """A file of size 0 that has about so many bytes: the environment of a process."""
    with ExitStack() as stack:

        def started(size: int) -> Path:
            run = stack.enter_context(subprocess.Popen(["cat"], env={"TEXT": "x" * size}, stdin=subprocess.PIPE))
            path = Path(f"/proc/{run.pid}/environ")
            assert path.stat().st_size == 0
            return path

        yield started


@pytest.mark.parametrize("size", [100, 4000, 4096, 5000, 100_000])
def test_a_file_of_size_0_that_has_content_is_read(
    driver: Driver, environment: Callable[[int], Path], size: int
) -> None:
    path = environment(size)
    item = named(driver.backup(fileset_of(path)), path)
    assert (item.data, item.trouble) == (path.read_bytes(), "")
    assert item.data.count(b"x") == size


@pytest.mark.parametrize("top", ["/sys/module/kernel/parameters", "/sys/module/kernel/parameters/panic"])
def test_the_files_of_sys_say_the_size_of_a_page_and_have_less(driver: Driver, top: str) -> None:
    file = Path("/sys/module/kernel/parameters/panic")
    assert file.stat().st_size == 4096
    item = named(driver.backup(fileset_of(Path(top)), options=WantOption.CHECK_CHANGES), file)
    assert (item.data, item.trouble, item.entry.size) == (file.read_bytes(), "", 0)


@pytest.mark.root
def test_one_that_never_seems_to_end_is_told(driver: Driver, environment: Callable[[int], Path]) -> None:
    pages = environment(1).with_name("pagemap")
    item = named(driver.backup(fileset_of(pages)), pages)
    assert f"{pages} says that its size is 0, and gives more than 64 MB" in item.trouble


# ---- files that change ---------------------------------------------------------------------------------------------------


def after_listing(name: str, change: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """Does it when that name was listed, before it is fetched."""
    return lambda path: change(path) and None if os.path.basename(path) == os.fsencode(name) else None


def append(path: bytes, data: bytes = b"more") -> None:
    with open(path, "ab") as file:
        file.write(data)


def test_a_file_that_grew_since_it_was_listed_has_its_new_size(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old ")
    item = named(driver.backup(fileset_of(tmp_path), between=after_listing("file", append)), tmp_path / "file")
    assert (item.data, item.entry.size, item.trouble) == (b"old more", 8, "")


def test_a_small_file_that_became_large_is_streamed(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old ")
    grow = after_listing("file", lambda path: append(path, b"x" * SMALL))
    item = named(driver.backup(fileset_of(tmp_path), between=grow), tmp_path / "file")
    assert (item.size, item.entry.size, item.inline) == (SMALL + 4, SMALL + 4, False)


def test_a_file_that_grows_while_it_is_read_ends_where_it_ended(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * (2 * READ_BYTES))
    saved = driver.backup(fileset_of(tmp_path), reading=lambda path, _: append(path))
    item = named(saved, tmp_path / "log")
    assert (item.size, item.entry.size, item.trouble) == (2 * READ_BYTES, 2 * READ_BYTES, "")


def test_the_same_with_a_look_at_changes_is_told(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * (2 * READ_BYTES))
    options = WantOption.CHECK_CHANGES
    saved = driver.backup(fileset_of(tmp_path), options=options, reading=lambda path, _: append(path))
    item = named(saved, tmp_path / "log")
    assert item.size == 2 * READ_BYTES
    assert "changed while it was read" in item.trouble


def test_a_file_that_holds_still_is_not_told(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (2 * READ_BYTES))
    (tmp_path / "small").write_bytes(b"x")
    saved = driver.backup(fileset_of(tmp_path), options=WantOption.CHECK_CHANGES)
    assert [item.trouble for item in saved] == ["", "", ""]
    assert named(saved, tmp_path / "small").inline


def test_a_file_that_shrinks_ends_early_and_is_told(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * (4 * READ_BYTES))

    def shrink(path: bytes, got: int) -> None:
        if got:
            os.truncate(path, READ_BYTES + 100)

    item = named(driver.backup(fileset_of(tmp_path), reading=shrink), tmp_path / "file")
    assert item.size == READ_BYTES + 100
    assert "changed while it was read" in item.trouble


def test_a_sparse_file_cut_in_a_hole_is_told(driver: Driver, tmp_path: Path) -> None:
    write_sparse(tmp_path / "file", 1 << 30, {0: b"x" * READ_BYTES, 1 << 29: b"y" * 4096})

    def shrink(path: bytes, got: int) -> None:
        if got:
            os.truncate(path, 1 << 20)

    item = named(driver.backup(fileset_of(tmp_path), reading=shrink), tmp_path / "file")
    assert item.size is not None
    assert item.size <= 1 << 20
    assert "changed while it was read" in item.trouble


def test_a_file_saved_anew_by_renaming_has_its_new_content(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def save(path: bytes) -> None:
        with open(path + b"~", "wb") as file:
            file.write(b"new one")
        os.rename(path + b"~", path)

    item = named(driver.backup(fileset_of(tmp_path), between=after_listing("file", save)), tmp_path / "file")
    assert (item.data, item.trouble) == (b"new one", "")
    assert item.entry.ino == (tmp_path / "file").stat().st_ino


def test_but_not_when_the_old_one_has_other_names(driver: Driver, tmp_path: Path) -> None:
    """The host may take this name for the first of them, and link the others to what was read here."""
    (tmp_path / "file").write_bytes(b"old")
    os.link(tmp_path / "file", tmp_path / "other")

    def save(path: bytes) -> None:
        with open(path + b"~", "wb") as file:
            file.write(b"new one")
        os.rename(path + b"~", path)

    host = Host()
    saved = driver.backup(fileset_of(tmp_path), host, between=after_listing("file", save))
    assert named(saved, tmp_path / "file").trouble
    assert named(saved, tmp_path / "other").data == b"old"
    assert any("something else stands there" in text for text in host.warnings())


def test_a_file_that_vanished_is_told_apart(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    host = Host()
    item = named(driver.backup(fileset_of(tmp_path), host, between=after_listing("file", os.unlink)), tmp_path / "file")
    assert item.entry.flags & EntryFlag.FAILED
    assert item.entry.change == Change.DELETED
    assert host.said == [(Severity.INFO, f"Cannot open {tmp_path}/file: it vanished after it was listed")]


@pytest.mark.parametrize("trap", ["fifo", "link", "directory", "device"])
def test_what_is_swapped_for_something_else_is_not_read(driver: Driver, tmp_path: Path, trap: str) -> None:
    if trap == "device" and os.geteuid():
        pytest.skip("needs root")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "file").write_bytes(b"x")

    def swap(path: bytes) -> None:
        os.unlink(path)
        if trap == "fifo":
            os.mkfifo(path)
        elif trap == "link":
            os.symlink(tmp_path / "secret", path)
        elif trap == "directory":
            os.mkdir(path)
        else:
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))

    saved = driver.backup(fileset_of(tmp_path / "top"), between=after_listing("file", swap))
    assert named(saved, tmp_path / "top" / "file").trouble == "failed"


def test_a_file_that_vanishes_before_its_stream_is_opened_is_saved(driver: Driver, tmp_path: Path) -> None:
    """It stays open with its attributes. Opened once more, by its name, it is not there."""
    (tmp_path / "file").write_bytes(b"x" * (2 * SMALL))
    with driver.job(BeginJob(Kind.BACKUP, fileset=fileset_of(tmp_path))) as job:
        page = job.next_page()
        assert page is not None
        (fetched,) = job.fetch([Want(page.entries[0].cookie, AgentStream.DATA.bit)]).entries
        (tmp_path / "file").unlink()
        item = Item(fetched, b"")
        driver.read(job, item)
        assert item.data == b"x" * (2 * SMALL)
        with pytest.raises(ItemError, match="No such file"):
            job.open_stream(fetched.cookie, AgentStream.DATA)


def test_two_directories_with_one_name_after_another_are_not_mixed_up(driver: Driver, tmp_path: Path) -> None:
    """The directory an entry was listed in is held, not its path."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "file").write_bytes(b"first")

    def swap(_: bytes) -> None:
        os.rename(tmp_path / "d", tmp_path / "aside")
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "file").write_bytes(b"second")

    saved = driver.backup(fileset_of(tmp_path), between=after_listing("file", swap))
    assert named(saved, tmp_path / "d" / "file").data == b"first"


# ---- times of access -------------------------------------------------------------------------------------------------------

OLD = (1_000_000_000_000_000_000, 1_100_000_000_000_000_000)


@pytest.mark.parametrize("size", [100, 3 * SMALL])
@pytest.mark.parametrize("option", [WantOption.NOATIME, WantOption.KEEPATIME])
def test_reading_leaves_no_trace_when_asked(driver: Driver, tmp_path: Path, size: int, option: WantOption) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    os.utime(tmp_path / "file", ns=OLD)
    item = named(driver.backup(fileset_of(tmp_path), options=option), tmp_path / "file")
    status = (tmp_path / "file").stat()
    assert (status.st_atime_ns, status.st_mtime_ns) == OLD
    assert item.entry.atime == OLD[0] // 10**9


def test_listing_a_directory_leaves_no_trace(driver: Driver, tmp_path: Path) -> None:
    os.utime(tmp_path, ns=OLD)
    driver.listing(fileset_of(tmp_path))
    assert tmp_path.stat().st_atime_ns == OLD[0]


# ---- FIFO and devices ------------------------------------------------------------------------------------------------------


def test_a_fifo_below_an_item_is_never_opened(driver: Driver, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    item = named(driver.backup(fileset_of(tmp_path), options=WantOption.READFIFO), tmp_path / "fifo")
    assert item.entry.type == EntryType.FIFO
    assert not item.entry.streams & AgentStream.DATA.bit
    assert item.size is None


def test_a_fifo_that_is_an_item_is_read(driver: Driver, tmp_path: Path) -> None:
    fifo, data = tmp_path / "fifo", os.urandom(3 * READ_BYTES)
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(data,))
    writer.start()
    try:
        item = named(driver.backup(fileset_of(fifo), options=WantOption.READFIFO), fifo)
    finally:
        writer.join()
    assert item.data == data


def test_a_fifo_nobody_writes_to_can_be_cancelled(driver: Driver, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def cancel_soon(_: bytes, __: int) -> None:
        threading.Timer(0.05, driver.status_page.ask_cancel).start()

    start = time.monotonic()
    with pytest.raises(JobCanceled):
        driver.backup(fileset_of(fifo), options=WantOption.READFIFO, reading=cancel_soon)
    assert time.monotonic() - start < 60


@pytest.mark.root
def test_a_block_device_that_is_an_item_is_read(driver: Driver, tmp_path: Path) -> None:
    image = tmp_path / "image"
    data = os.urandom(1 << 20)
    image.write_bytes(data)
    made = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip("no loop devices here")
    device = Path(made.stdout.strip())
    try:
        item = named(driver.backup(fileset_of(device)), device)
        assert item.entry.type == EntryType.BLOCKDEV
        assert item.data == data
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


# ---- ACL and extended attributes ---------------------------------------------------------------------------------------------


def test_extended_attributes_come_with_their_entry(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "plain").write_bytes(b"x")
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "fifo")
    os.setxattr(tmp_path / "file", "user.comment", b"a comment value")
    os.setxattr(tmp_path / "file", "user.empty", b"")
    os.setxattr(tmp_path / "file", "user.binary", bytes(range(256)))
    os.setxattr(tmp_path / "d", "user.d", b"on a directory")
    saved = driver.backup(fileset_of(tmp_path))
    assert named(saved, tmp_path / "file").xattrs == {
        b"user.comment": b"a comment value",
        b"user.empty": b"",
        b"user.binary": bytes(range(256)),
    }
    assert named(saved, tmp_path / "d").xattrs == {b"user.d": b"on a directory"}
    assert named(saved, tmp_path / "plain").small == []
    assert named(saved, tmp_path / "fifo").small == []


def setfacl(*arguments: str | Path) -> None:
    subprocess.run(["setfacl", *map(str, arguments)], check=True)


def test_an_acl_is_text_with_numbers(driver: Driver, tmp_path: Path, programs: Callable[..., None]) -> None:
    programs("setfacl")
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "plain").write_bytes(b"x")
    (tmp_path / "d").mkdir(mode=0o755)
    (tmp_path / "d").chmod(0o755)
    os.mkfifo(tmp_path / "fifo", 0o600)
    setfacl("-m", "u:1234:r,u:1:rw", tmp_path / "file", tmp_path / "fifo")
    setfacl("-d", "-m", "g:5678:rw", tmp_path / "d")
    saved = driver.backup(fileset_of(tmp_path))
    file = named(saved, tmp_path / "file")
    assert file.text_of(AgentStream.ACL_ACCESS) == (
        b"user::rw-\nuser:1:rw-\nuser:1234:r--\ngroup::r--\nmask::rw-\nother::---\n"
    )
    assert file.xattrs == {}
    directory = named(saved, tmp_path / "d")
    assert directory.text_of(AgentStream.ACL_ACCESS) is None
    assert directory.text_of(AgentStream.ACL_DEFAULT) == (
        b"user::rwx\ngroup::r-x\ngroup:5678:rw-\nmask::rwx\nother::r-x\n"
    )
    assert named(saved, tmp_path / "plain").small == []
    assert named(saved, tmp_path / "fifo").text_of(AgentStream.ACL_ACCESS) is not None


def test_without_acl_support_it_is_an_extended_attribute(
    driver: Driver, tmp_path: Path, programs: Callable[..., None]
) -> None:
    programs("setfacl")
    (tmp_path / "file").write_bytes(b"x")
    setfacl("-m", "u:1234:r", tmp_path / "file")
    name = "system.posix_acl_access"
    only_xattr = AgentStream.DATA.bit | AgentStream.XATTR.bit
    item = named(driver.backup(fileset_of(tmp_path), streams=only_xattr), tmp_path / "file")
    assert item.xattrs == {name.encode(): os.getxattr(tmp_path / "file", name)}
    only_acl = named(driver.backup(fileset_of(tmp_path), streams=AgentStream.ACL_ACCESS.bit), tmp_path / "file")
    assert [number for number, _ in only_acl.small] == [AgentStream.ACL_ACCESS]


def test_more_attributes_than_a_page_holds_are_told(driver: Driver) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:  # ext4 keeps 4 KiB of them, tmpfs far more
        file = Path(name) / "file"
        file.write_bytes(b"x")
        for number in range(100):
            os.setxattr(file, f"user.{number}", bytes(60000))
        host = Host()
        saved = driver.backup(fileset_of(file), host)
        assert 60 < len(named(saved, file).xattrs) < 100
        assert named(saved, file).data == b"x"
        assert any("larger than a page" in text for text in host.warnings())
