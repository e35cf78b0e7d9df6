"""What comes back: every type with everything it had, whatever the names, and nothing half made."""

from __future__ import annotations

import dataclasses
import errno
import os
import resource
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filed.agents import (
    Action,
    AgentStream,
    Begin,
    EntryType,
    Kind,
    Outcome,
    Replace,
    Severity,
    Status,
    join_xattr,
)
from filed.errors import AgentError, ItemError

from .driving import (
    Driver,
    Host,
    Item,
    as_nobody,
    deep_tree,
    differences,
    directory_item,
    entry_of,
    file_item,
    fileset_of,
    hard_link,
    link_item,
    linked,
    look,
    remove_deep,
    tree,
)

BIG = os.urandom(700_000)


def fill(root: Path) -> None:
    """A tree with one of each."""
    (root / "d" / "e").mkdir(parents=True)
    (root / "empty").mkdir(mode=0o700)
    (root / "d" / "small").write_bytes(b"small")
    (root / "d" / "none").touch()
    (root / "d" / "big").write_bytes(BIG)
    (root / "link").symlink_to("d/small")
    (root / "dangling").symlink_to("/no such place")
    os.mkfifo(root / "fifo", 0o620)
    os.link(root / "d" / "big", root / "d" / "e" / "another")
    os.link(root / "d" / "big", root / "a third")
    os.setxattr(root / "d" / "small", "user.comment", b"\0\1\2")
    os.setxattr(root / "d", "user.directory", b"yes")
    for number, name in enumerate([b"new\nline", b"\xff\xfe", b"back\\slash", b" ", b"-rf", "ü".encode(), b"z" * 255]):
        path = os.path.join(os.fsencode(root), name)
        with open(path, "wb") as file:
            file.write(b"%d" % number)
        os.chmod(path, 0o400 + number)
    (root / "d" / "small").chmod(0o6751)
    (root / "d" / "e").chmod(0o3711)
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, ns=(1_234_567_890_123_456_789, -1_000_000_001), follow_symlinks=False)
    os.utime(root, ns=(5, 999_999_999))


def test_a_tree_comes_back_with_everything_it_had(driver: Driver, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    fill(source)
    host = Host()
    told = driver.restore(driver.backup(fileset_of(source)), target, host)
    assert set(told.values()) <= {"CREATED", "WANT"}
    assert host.said == []
    assert differences(source, os.fsencode(target) + os.fsencode(source)) == {}
    restored = Path(os.fspath(target) + os.fspath(source))
    assert (restored / "d/big").stat().st_ino == (restored / "d/e/another").stat().st_ino
    assert (restored / "d/big").stat().st_ino == (restored / "a third").stat().st_ino
    assert not list(target.rglob(".filed-*"))


def test_restoring_again_over_it_changes_nothing(driver: Driver, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    fill(source)
    items = driver.backup(fileset_of(source))
    for _ in range(2):
        driver.restore(items, target, strip=os.fsencode(source))
        assert differences(source, target) == {}


@pytest.mark.root
def test_owners_devices_capabilities_and_trusted_attributes(
    driver: Driver, tmp_path: Path, programs: Callable[..., None]
) -> None:
    programs("setcap", "setfacl")
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "file").write_bytes(b"x")
    os.chown(source / "file", 1234, 5678)
    (source / "suid").write_bytes(b"x")
    os.chown(source / "suid", 1234, 5678)
    (source / "suid").chmod(0o6755)
    (source / "ping").write_bytes(b"program")
    os.chown(source / "ping", 7, 7)
    subprocess.run(["setcap", "cap_net_raw+ep", source / "ping"], check=True)
    os.setxattr(source / "file", "trusted.secret", b"value")
    os.symlink("x", source / "link")
    os.chown(source / "link", 1, 2, follow_symlinks=False)
    os.setxattr(source / "link", "trusted.of.the.link", b"itself", follow_symlinks=False)
    os.mknod(source / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(source / "disk", 0o660 | stat.S_IFBLK, os.makedev(4000, 70000))
    (source / "d").mkdir()
    os.chown(source / "d", 99, 98)
    subprocess.run(["setfacl", "-m", "u:1234:r,g:4321:rwx", source / "file", source / "d"], check=True)
    subprocess.run(["setfacl", "-d", "-m", "u:1234:rwx", source / "d"], check=True)
    (source / "d" / "inherits").write_bytes(b"x")
    (source / "d" / "sub").mkdir()
    subprocess.run(["setfacl", "-b", source / "d" / "sub", source / "d" / "inherits"], check=True)
    driver.restore(driver.backup(fileset_of(source)), target, host := Host(), strip=os.fsencode(source))
    assert host.said == []
    assert differences(source, target) == {}


def test_nothing_inherits_a_list_that_it_did_not_have(
    driver: Driver, tmp_path: Path, programs: Callable[..., None]
) -> None:
    programs("setfacl")
    subprocess.run(["setfacl", "-d", "-m", "u:1234:rwx", tmp_path], check=True)
    os.mkfifo(tmp_path / "probe")
    assert os.listxattr(tmp_path / "probe")
    fifo = Item(entry_of(EntryType.FIFO, stat.S_IFIFO | 0o600), b"/fifo")
    items = [
        file_item(b"/a/b/file", b"x"),
        file_item(b"/top", b""),
        fifo,
        directory_item(b"/a/b"),
        link_item(b"/l", b"x"),
    ]
    driver.restore(items, tmp_path)
    for name in ("a", "a/b", "a/b/file", "top", "fifo"):
        assert os.listxattr(tmp_path / name) == [], name
    assert stat.S_IMODE((tmp_path / "fifo").stat().st_mode) == 0o600


def test_holes_come_back_as_holes(driver: Driver, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    pieces = {0: b"a" * 65536, 1 << 30: b"b" * 65536}
    for name, size in (("trailing", 20 << 30), ("exact", (1 << 30) + 65536), ("all", 1 << 35)):
        with (source / name).open("wb") as file:
            for offset, data in pieces.items() if name != "all" else ():
                file.seek(offset)
                file.write(data)
            file.truncate(size)
    driver.restore(driver.backup(fileset_of(source)), target, strip=os.fsencode(source))
    for name in ("trailing", "exact", "all"):
        before, after = (source / name).stat(), (target / name).stat()
        assert (before.st_size, before.st_blocks) == (after.st_size, after.st_blocks)
        for offset in pieces:
            with (source / name).open("rb") as one, (target / name).open("rb") as other:
                one.seek(offset)
                other.seek(offset)
                assert one.read(70000) == other.read(70000)


@pytest.mark.parametrize("levels", [300, 1400])
def test_trees_deeper_than_the_kernels_paths(driver: Driver, tmp_path: Path, levels: int) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    try:
        deep_tree(source, levels)
        items = driver.backup(fileset_of(source))
        told = driver.restore(items, target, host := Host(), strip=os.fsencode(source))
        assert set(told.values()) <= {"CREATED", "WANT"}
        assert host.said == []
        again = driver.backup(fileset_of(target))
        assert {(i.name.removeprefix(os.fsencode(target)), i.data, i.entry.mode, i.entry.mtime_ns) for i in again} == {
            (i.name.removeprefix(os.fsencode(source)), i.data, i.entry.mode, i.entry.mtime_ns) for i in items
        }
    finally:
        remove_deep(tmp_path / "source")
        remove_deep(tmp_path / "target")


NAMES = (
    st.binary(min_size=1, max_size=40)
    .filter(lambda name: b"/" not in name and b"\0" not in name)
    .filter(lambda name: name not in {b".", b".."})
)
TREES = st.recursive(
    st.one_of(st.binary(max_size=200), st.integers(0, 0o777)),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def plant(path: bytes, what: object) -> None:
    if isinstance(what, bytes):
        with open(path, "wb") as file:
            file.write(what)
    elif isinstance(what, int):
        with open(path, "wb"):
            os.chmod(path, what)
    else:
        assert isinstance(what, dict)
        os.mkdir(path)
        for name, inner in what.items():
            plant(os.path.join(path, name), inner)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(what=st.dictionaries(NAMES, TREES, max_size=5))
def test_any_tree_comes_back(driver: Driver, open_tmp: Path, what: dict[bytes, object]) -> None:
    if os.geteuid():
        return  # modes such as 0 keep an ordinary user from reading his own file
    source, target = open_tmp / "source", open_tmp / "target"
    try:
        plant(os.fsencode(source), what)
        driver.restore(driver.backup(fileset_of(source)), target, strip=os.fsencode(source))
        assert differences(source, target) == {}
    finally:
        subprocess.run(["rm", "-rf", source, target], check=True)


# ---- directories -------------------------------------------------------------------------------------------------------------


def test_parents_that_never_come_stay_private_and_where_is_not_for_others_to_write(
    driver: Driver, tmp_path: Path
) -> None:
    mask = os.umask(0)
    try:
        driver.restore([file_item(b"/a/b/file", b"x"), directory_item(b"/a/b", 0o500)], tmp_path / "to" / "where")
    finally:
        os.umask(mask)
    found = {
        name: stat.S_IMODE((tmp_path / "to" / name).stat().st_mode) for name in ("", "where", "where/a", "where/a/b")
    }
    assert found == {"": 0o755, "where": 0o755, "where/a": 0o700, "where/a/b": 0o500}


def test_a_directory_gets_its_attributes_when_all_is_in_it(driver: Driver, tmp_path: Path) -> None:
    """In any order, and in the end the last word counts: an Incremental follows its Full."""
    items = [
        directory_item(b"/a", 0o700, mtime=1),
        file_item(b"/a/one", b"x"),
        directory_item(b"/a", 0o550, mtime=1_400_000_000),
        file_item(b"/a/two", b"x"),
    ]
    driver.restore(items, tmp_path)
    assert (tmp_path / "a").stat().st_mtime == 1_400_000_000
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o550


def test_until_then_a_new_one_is_for_our_eyes_only(driver: Driver, tmp_path: Path) -> None:
    seen = []

    def before(dest: bytes) -> None:
        if dest.endswith(b"/two"):
            seen.append(stat.S_IMODE((tmp_path / "a").stat().st_mode))

    driver.restore(
        [file_item(b"/a/one", b"x"), directory_item(b"/a", 0o777), file_item(b"/two", b"")], tmp_path, before=before
    )
    assert seen == [0o700]
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o777


def test_many_directories_with_long_records_go_through_the_spool(driver: Driver, tmp_path: Path) -> None:
    items = []
    for number in range(3000):
        item = directory_item(b"/%04d" % number, 0o700 + number % 8, mtime=number)
        items.append(
            dataclasses.replace(item, small=[(AgentStream.XATTR, join_xattr(b"user.x", b"%d" % number * 500))])
        )
    host = Host()
    driver.restore(items, tmp_path, host)
    assert host.said == []
    for number in range(3000):
        status = (tmp_path / f"{number:04}").stat()
        assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o700 + number % 8, number)
    assert os.getxattr(tmp_path / "2999", "user.x") == b"2999" * 500


def test_the_root_of_all_gives_its_attributes_to_where(driver: Driver, tmp_path: Path) -> None:
    driver.restore([file_item(b"/file", b"x"), directory_item(b"/", 0o711)], tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o711
    assert (tmp_path / "new").stat().st_mtime == 1_500_000_000


# ---- replace -------------------------------------------------------------------------------------------------------------------

NOW = 1_500_000_000


@pytest.mark.parametrize(
    ("mode", "there", "replaced"),
    [
        (Replace.ALWAYS, NOW - 1, True),
        (Replace.ALWAYS, NOW + 1, True),
        (Replace.IFNEWER, NOW - 1, True),
        (Replace.IFNEWER, NOW, False),
        (Replace.IFNEWER, NOW + 1, False),
        (Replace.IFOLDER, NOW - 1, False),
        (Replace.IFOLDER, NOW, False),
        (Replace.IFOLDER, NOW + 1, True),
        (Replace.NEVER, NOW - 1, False),
        (Replace.NEVER, NOW + 1, False),
    ],
)
@pytest.mark.parametrize("kind", ["file", "link", "fifo"])
@pytest.mark.parametrize("what", ["file", "link", "fifo"])
def test_replace_decides_by_the_time_of_change(  # noqa: PLR0917  a table of cases
    driver: Driver,
    tmp_path: Path,
    mode: Replace,
    there: int,
    replaced: bool,  # noqa: FBT001  pytest gives it
    kind: str,
    what: str,
) -> None:
    path = tmp_path / "x"
    if kind == "file":
        path.write_bytes(b"old")
    elif kind == "link":
        path.symlink_to("old")
    else:
        os.mkfifo(path)
    os.utime(path, (there, there + 0.25), follow_symlinks=False)
    before = look(os.fsencode(path))
    items = {
        "file": file_item(b"/x", b"new"),
        "link": link_item(b"/x", b"new"),
        "fifo": Item(entry_of(EntryType.FIFO, stat.S_IFIFO | 0o600), b"/x"),
    }
    told = driver.restore([items[what]], tmp_path, mode=mode)
    assert (told[os.fsencode(path)] == "SKIP") is not replaced
    after = look(os.fsencode(path))
    assert (after == before) is not replaced
    if replaced:
        assert after.mtime_ns == NOW * 10**9
        assert after.content == (b"" if what == "fifo" else b"new")


def test_what_is_not_there_is_restored_in_every_mode(driver: Driver, tmp_path: Path) -> None:
    for mode in Replace:
        driver.restore([file_item(b"/file", b"x"), link_item(b"/link", b"x")], tmp_path / mode.name, mode=mode)
        assert sorted(os.listdir(tmp_path / mode.name)) == ["file", "link"]


def test_directories_are_merged_in_every_mode(driver: Driver, tmp_path: Path) -> None:
    for mode in Replace:
        where = tmp_path / mode.name
        (where / "d").mkdir(parents=True)
        (where / "d").chmod(0o705)
        (where / "d" / "old").write_bytes(b"old")
        driver.restore([file_item(b"/d/new", b"x"), directory_item(b"/d", 0o750)], where, mode=mode)
        assert sorted(os.listdir(where / "d")) == ["new", "old"]
        assert stat.S_IMODE((where / "d").stat().st_mode) == (0o705 if mode == Replace.NEVER else 0o750)


def test_never_still_dresses_what_it_made_itself(driver: Driver, tmp_path: Path) -> None:
    items = [file_item(b"/d/e/new", b"x"), directory_item(b"/d/e", 0o750), directory_item(b"/d", 0o711)]
    driver.restore(items, tmp_path, mode=Replace.NEVER)
    assert stat.S_IMODE((tmp_path / "d" / "e").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o711


def test_a_directory_in_the_way_of_a_file_stays(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    told = driver.restore([file_item(b"/x", b"x"), link_item(b"/x", b"y"), file_item(b"/y", b"z")], tmp_path)
    assert "a directory is in the way" in told[os.fsencode(tmp_path / "x")]
    assert (tmp_path / "x").is_dir()
    assert (tmp_path / "y").read_bytes() == b"z"


def test_a_file_in_the_way_of_a_directory_goes(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"file")
    driver.restore([directory_item(b"/x", 0o751)], tmp_path)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o751


@pytest.mark.parametrize("mode", [Replace.ALWAYS, Replace.IFNEWER, Replace.IFOLDER, Replace.NEVER])
def test_a_file_in_the_way_of_what_is_in_a_directory_goes_when_all_is_replaced(
    driver: Driver, tmp_path: Path, mode: Replace
) -> None:
    """The contents come before their directory, whose own time is not known yet."""
    (tmp_path / "x").write_bytes(b"file")
    told = driver.restore([file_item(b"/x/y", b"z")], tmp_path, mode=mode)
    if mode is Replace.ALWAYS:
        assert (tmp_path / "x" / "y").read_bytes() == b"z"
    else:
        assert "something that is no directory is in the way" in told[os.fsencode(tmp_path / "x" / "y")]
        assert (tmp_path / "x").read_bytes() == b"file"


def test_a_link_in_the_way_stays_whatever_is_replaced(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "x").symlink_to("elsewhere")
    told = driver.restore([file_item(b"/x/y", b"z")], tmp_path)
    assert "a symbolic link is in the way" in told[os.fsencode(tmp_path / "x" / "y")]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (tmp_path / "x").is_symlink()


def test_other_names_of_a_replaced_file_keep_their_content(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    os.link(tmp_path / "x", tmp_path / "other")
    driver.restore([file_item(b"/x", b"new")], tmp_path)
    assert (tmp_path / "other").read_bytes() == b"old"
    assert (tmp_path / "x").read_bytes() == b"new"


# ---- hard links ------------------------------------------------------------------------------------------------------------------


def test_a_hard_link_replaces_what_is_there(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "second").write_bytes(b"old")
    for _ in range(2):
        told = driver.restore([file_item(b"/d/first", b"x"), hard_link(b"/second", b"/d/first")], tmp_path)
        assert set(told.values()) == {"CREATED", "WANT"}
        assert (tmp_path / "second").stat().st_ino == (tmp_path / "d" / "first").stat().st_ino
    assert not list(tmp_path.rglob(".filed-*"))


def test_a_hard_link_without_its_first_name_is_told(driver: Driver, tmp_path: Path) -> None:
    told = driver.restore([hard_link(b"/second", b"/d/first"), file_item(b"/y", b"")], tmp_path)
    assert "No such file" in told[os.fsencode(tmp_path / "second")]
    assert (tmp_path / "y").exists()


def test_a_hard_link_to_a_link(driver: Driver, tmp_path: Path) -> None:
    driver.restore([link_item(b"/first", b"nowhere"), hard_link(b"/second", b"/first")], tmp_path)
    assert os.readlink(tmp_path / "second") == "nowhere"


# ---- whole or not at all -----------------------------------------------------------------------------------------------------------


def test_a_corrupt_file_stands_beside_its_place(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"the good old one")
    host = Host()
    with driver.job(Begin(Kind.RESTORE, where=os.fsencode(tmp_path)), host) as job:
        for _ in range(2):
            item = file_item(b"/file", b"what could be read", mode=0o6755)
            driver.put(job, item, os.fsencode(tmp_path / "file"), b"", Replace.ALWAYS, how=Status.E_CORRUPT)
        job.commit()
        job.end(Outcome.DONE)
    assert (tmp_path / "file").read_bytes() == b"the good old one"
    assert (tmp_path / "file.corrupt").read_bytes() == b"what could be read"
    assert stat.S_IMODE((tmp_path / "file.corrupt").stat().st_mode) == 0o755
    assert sorted(os.listdir(tmp_path)) == ["file", "file.corrupt"]
    assert [severity for severity, _ in host.said] == [Severity.WARNING] * 2


def test_a_file_that_failed_leaves_nothing(driver: Driver, tmp_path: Path) -> None:
    with driver.job(Begin(Kind.RESTORE, where=os.fsencode(tmp_path))) as job:
        driver.put(
            job, file_item(b"/file", b"part"), os.fsencode(tmp_path / "file"), b"", Replace.ALWAYS, how=Status.E_IO
        )
        job.commit()
        job.end(Outcome.DONE)
    assert os.listdir(tmp_path) == []


def test_a_file_whose_data_does_not_end_is_refused(driver: Driver, tmp_path: Path) -> None:
    dest = os.fsencode(tmp_path / "file")
    with driver.job(Begin(Kind.RESTORE, where=os.fsencode(tmp_path))) as job:
        item = file_item(b"/file", b"x" * 10)
        assert job.restore_entry(item.entry, item.name, dest, Replace.ALWAYS) == Action.WANT
        job.restore_stream(AgentStream.DATA, 10)
        job.write(b"x" * 5, 0, last=False)
        with pytest.raises(ItemError, match="the end of its data did not come"):
            job.restore_done()
        assert job.restore_entry(item.entry, item.name, dest, Replace.ALWAYS) == Action.WANT
        with pytest.raises(ItemError, match="its data did not come"):
            job.restore_done()
        job.end(Outcome.FAILED)
    assert os.listdir(tmp_path) == []


def test_a_killed_restore_leaves_no_file_that_looks_whole(driver: Driver, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with driver.job(Begin(Kind.RESTORE, where=os.fsencode(tmp_path))) as job:
            item = file_item(b"/file", b"x" * 10)
            job.restore_entry(item.entry, item.name, os.fsencode(tmp_path / "file"), Replace.ALWAYS)
            job.restore_stream(AgentStream.DATA, 10)
            job.write(b"x" * 5, 0, last=False)
            os.write(writing, b"!")
            signal.pause()
    os.read(reading, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)
    assert [name for name in os.listdir(tmp_path) if not name.startswith(".filed-")] == []


def test_data_of_a_fifo_comes_back_as_a_file(driver: Driver, tmp_path: Path) -> None:
    entry = entry_of(EntryType.FIFO, stat.S_IFIFO | 0o640)
    items = [Item(entry, b"/dump", pieces=[(0, b"data")], size=4), Item(entry, b"/fifo")]
    driver.restore(items, tmp_path)
    assert (tmp_path / "dump").read_bytes() == b"data"
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
    assert stat.S_IMODE((tmp_path / "dump").stat().st_mode) == 0o640


@pytest.mark.root
def test_a_full_disk_ends_the_job_and_says_where(driver: Driver, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(AgentError, match="small/file: No space left on device"):
            driver.restore([file_item(b"/file", BIG * 3)], small)
        assert os.listdir(small) == []
    finally:
        subprocess.run(["umount", small], check=True)


# ---- what an ordinary user cannot do ------------------------------------------------------------------------------------------------


def test_what_an_ordinary_user_cannot_set_is_counted(driver: Driver, open_tmp: Path) -> None:
    where = open_tmp / "where"
    where.mkdir()
    where.chmod(0o777)

    def work() -> tuple[dict[bytes, str], list[str]]:
        items = []
        for number in range(10):
            item = file_item(b"/%d" % number, b"x", mode=0o6755)
            items.append(dataclasses.replace(item, entry=item.entry._replace(uid=1, gid=2)))
        trusted = dataclasses.replace(
            file_item(b"/t", b"x"), small=[(AgentStream.XATTR, join_xattr(b"trusted.x", b"v"))]
        )
        items.append(dataclasses.replace(trusted, entry=trusted.entry._replace(uid=os.getuid(), gid=os.getgid())))
        node = Item(entry_of(EntryType.CHARDEV, stat.S_IFCHR | 0o600, rdev=os.makedev(1, 3)), b"/null")
        host = Host()
        return driver.restore([*items, node], where, host), host.warnings()

    told, warnings = as_nobody(work)
    assert "Operation not permitted" in told[os.fsencode(where / "null")]
    assert set(told.values()) - {told[os.fsencode(where / "null")]} == {"WANT"}
    owners = [text for text in warnings if "the owner" in text]
    assert len(owners) == 4
    assert owners[-1] == "Restored without the owner: 7 more entries"
    assert [text for text in warnings if "trusted.x" in text] != []
    for number in range(10):
        assert stat.S_IMODE((where / str(number)).stat().st_mode) == 0o755  # no set-uid for another owner


def test_a_tree_of_his_own_comes_back_to_an_ordinary_user(driver: Driver, open_tmp: Path) -> None:
    """Directories that he may not write to, or not even enter, are dressed last."""
    open_tmp.chmod(0o777)

    def work() -> bool:
        source, target = open_tmp / "source", open_tmp / "target"
        (source / "a" / "b").mkdir(parents=True)
        (source / "a" / "b" / "file").write_bytes(b"x")
        os.setxattr(source / "a" / "b" / "file", "user.kept", b"on what nobody may write")
        os.setxattr(source / "a" / "b", "user.kept", b"here too")
        (source / "a" / "b" / "file").chmod(0o400)
        (source / "a" / "b").chmod(0o555)
        (source / "a").chmod(0o511)
        items = driver.backup(fileset_of(source))
        host = Host()
        driver.restore(items, target, host, strip=os.fsencode(source))
        same = differences(source, target) == {}
        for top in (source, target):
            (top / "a").chmod(0o700)
            (top / "a" / "b").chmod(0o700)
        return same and host.said == []

    assert as_nobody(work)


def test_an_attribute_that_is_none_is_told(driver: Driver, tmp_path: Path) -> None:
    bad = [(AgentStream.XATTR, b"\xff\xff\xff\xff"), (AgentStream.ACL_ACCESS, b"user::rw-\nnonsense\n")]
    host = Host()
    driver.restore([dataclasses.replace(file_item(b"/file", b"x"), small=bad)], tmp_path, host)
    assert (tmp_path / "file").read_bytes() == b"x"
    assert len(host.warnings()) == 2
    assert any("nonsense" in text for text in host.warnings())
    assert os.strerror(errno.EINVAL) in host.warnings()[0]


def test_content_comes_back_though_its_size_was_said_to_be_0(driver: Driver, tmp_path: Path) -> None:
    item = file_item(b"/file", b"content")
    told = driver.restore([dataclasses.replace(item, entry=item.entry._replace(size=0))], tmp_path)
    assert list(told.values()) == ["WANT"]
    assert (tmp_path / "file").read_bytes() == b"content"


# ---- several names, of which some are there -------------------------------------------------------------------------------


@pytest.fixture
def names(driver: Driver, tmp_path: Path) -> list[Item]:
    """A file of three names, as saved."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"saved")
    for name in ("b", "c"):
        (source / name).hardlink_to(source / "a")
    os.utime(source / "a", (1_500_000_000, 1_500_000_000))
    saved = [
        dataclasses.replace(item, name=b"/" + os.path.basename(item.name)) for item in driver.backup(fileset_of(source))
    ]
    return sorted((item for item in saved if item.entry.type == EntryType.REGULAR), key=lambda item: item.name)


@pytest.mark.parametrize("mode", [Replace.NEVER, Replace.IFNEWER])
def test_a_missing_name_gets_the_content_that_was_saved_though_the_first_is_another_file(
    driver: Driver, tmp_path: Path, names: list[Item], mode: Replace
) -> None:
    where = tmp_path / "where"
    where.mkdir()
    (where / "a").write_bytes(b"unrelated")
    driver.restore(names, where, mode=mode)
    assert {name: (where / name).read_bytes() for name in os.listdir(where)} == {
        "a": b"unrelated",
        "b": b"saved",
        "c": b"saved",
    }
    assert (where / "b").samefile(where / "c")
    assert (where / "b").stat().st_mtime == 1_500_000_000


def test_a_first_name_that_is_as_it_was_saved_is_linked_to(driver: Driver, tmp_path: Path, names: list[Item]) -> None:
    where = tmp_path / "where"
    driver.restore(names[:1], where)
    told = driver.restore(names, where, mode=Replace.NEVER)
    assert told[bytes(where / "a")] == "SKIP"
    assert (where / "a").samefile(where / "c")


def test_nothing_is_left_of_what_no_name_was_missing_for(driver: Driver, tmp_path: Path, names: list[Item]) -> None:
    where = tmp_path / "where"
    where.mkdir()
    for name in ("a", "b", "c"):
        (where / name).write_bytes(b"unrelated")
    driver.restore(names, where, mode=Replace.NEVER)
    assert {path.read_bytes() for path in where.iterdir()} == {b"unrelated"}


def test_a_name_is_no_link_to_a_file_that_the_job_did_not_restore(
    driver: Driver, tmp_path: Path, names: list[Item]
) -> None:
    """Its first name could not be restored; what stands there is older."""
    where = tmp_path / "where"
    where.mkdir()
    (where / "a").write_bytes(b"unrelated")
    links = [item for item in linked(names) if item.entry.type == EntryType.HARDLINK]
    told = driver.restore([links[0]], where)
    assert "its first name is another file" in told[bytes(where / "b")]
    assert os.listdir(where) == ["a"]


def test_many_files_whose_first_names_stay_keep_few_descriptors(
    driver: Driver, tmp_path: Path, names: list[Item]
) -> None:
    where = tmp_path / "where"
    where.mkdir()
    many = []
    for number in range(200):
        (where / f"{number}").write_bytes(b"unrelated")
        entry = names[0].entry._replace(ino=number)
        many.append(dataclasses.replace(names[0], name=b"/%d" % number, entry=entry))
        many.append(dataclasses.replace(names[0], name=b"/%d.b" % number, entry=entry))
    open_before = len(os.listdir("/proc/self/fd"))

    def few(_: bytes) -> None:
        assert len(os.listdir("/proc/self/fd")) - open_before < 200

    driver.restore(many, where, mode=Replace.NEVER, before=few)
    assert {(where / f"{number}.b").read_bytes() for number in range(200)} == {b"saved"}


# ---- what a directory has got since ----------------------------------------------------------------------------------------


def test_a_directory_loses_what_it_has_got_since_where_the_job_had_saved_such(
    driver: Driver, tmp_path: Path, programs: Callable[..., None]
) -> None:
    programs("setfacl")
    source, where = tmp_path / "source", tmp_path / "where"
    for name in ("with", "without"):
        (source / name).mkdir(parents=True)
    os.setxattr(source / "with", "user.kept", b"1")
    subprocess.run(["setfacl", "-m", "u:1234:r", source / "with"], check=True)
    saved = driver.backup(fileset_of(source))
    driver.restore(saved, where, strip=os.fsencode(source))
    for name in ("with", "without"):
        os.setxattr(where / name, "user.added", b"1")
        subprocess.run(["setfacl", "-m", "u:4321:rwx", where / name], check=True)
        subprocess.run(["setfacl", "-d", "-m", "u:4321:rwx", where / name], check=True)
    driver.restore(saved, where, mode=Replace.NEVER, strip=os.fsencode(source))
    assert "user.added" in os.listxattr(where / "without"), "never: it keeps what it has"
    driver.restore(saved, where, strip=os.fsencode(source))
    assert sorted(os.listxattr(where / "with")) == ["system.posix_acl_access", "user.kept"]
    assert os.getxattr(where / "with", "system.posix_acl_access") == os.getxattr(
        source / "with", "system.posix_acl_access"
    )
    assert os.listxattr(where / "without") == []


def test_a_directory_keeps_what_it_has_where_the_job_had_saved_no_such(driver: Driver, tmp_path: Path) -> None:
    source, where = tmp_path / "source", tmp_path / "where"
    source.mkdir()
    where.mkdir()
    os.setxattr(where, "user.own", b"1")
    driver.restore(driver.backup(fileset_of(source)), where, strip=os.fsencode(source))
    assert os.listxattr(where) == ["user.own"]


@pytest.mark.parametrize(
    ("looked_for", "left"),
    [
        ((), ["system.posix_acl_access", "user.added"]),
        ((AgentStream.ACL_ACCESS, AgentStream.ACL_DEFAULT), ["user.added"]),
        ((AgentStream.XATTR,), []),
        (tuple(AgentStream), []),
    ],
)
def test_a_directory_that_had_nothing_loses_what_the_job_looked_for(
    driver: Driver, tmp_path: Path, programs: Callable[..., None], looked_for: tuple[AgentStream, ...], left: list[str]
) -> None:
    programs("setfacl")
    source, where = tmp_path / "source", tmp_path / "where"
    source.mkdir()
    saved = driver.backup(fileset_of(source))
    where.mkdir()
    os.setxattr(where, "user.added", b"1")
    subprocess.run(["setfacl", "-m", "u:4321:rwx", where], check=True)
    driver.restore(saved, where, strip=os.fsencode(source), looked_for=sum(stream.bit for stream in looked_for))
    assert sorted(os.listxattr(where)) == left


def test_few_descriptors_are_enough(driver: Driver, open_tmp: Path) -> None:
    source, target = open_tmp / "source", open_tmp / "target"
    source.mkdir()
    deep_tree(source, 120, "d")
    for number in range(300):
        (source / str(number)).mkdir()
        (source / str(number) / "file").write_bytes(b"x")
    open_tmp.chmod(0o777)

    def work() -> bool:
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
        host = Host()
        driver.restore(driver.backup(fileset_of(source), host), target, host, strip=os.fsencode(source))
        return [text for text in host.warnings() if "the owner" not in text] == []

    assert as_nobody(work)
    before, after = tree(os.fsencode(source)), tree(os.fsencode(target))
    assert {path: look.content for path, look in before.items()} == {path: look.content for path, look in after.items()}
