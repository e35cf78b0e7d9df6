"""What the walk lists, in which order, and what it says of what it cannot list."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

import build
from filed.agents import Attr, Begin, EntryFlag, EntryType, Has, Kind, Outcome, Severity, Verdict, load
from filed.errors import AgentError, JobCanceled

from .driving import Driver, Host, Item, as_nobody, deep_tree, fileset_of, remove_deep


def names(items: list[Item]) -> list[bytes]:
    return [item.name for item in items]


def below(root: Path, items: list[Item]) -> list[str]:
    """Names relative to root, decoded."""
    start = os.fsencode(root)
    return [os.fsdecode(item.name.removeprefix(start)) for item in items]


def test_a_directory_comes_after_what_is_in_it(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("x")
    assert below(tmp_path, driver.listing(fileset_of(tmp_path))) == ["/a/b/file", "/a/b", "/a", ""]


def stored_order(names: Iterable[str], directories: Collection[str] = ()) -> list[str]:
    return sorted(names, key=lambda name: os.fsencode(name + "/" if name in directories else name))


def test_names_come_in_the_order_of_stored_paths_whatever_the_directory_has(driver: Driver, tmp_path: Path) -> None:
    """So a catalog's pages are written one after the other, not at random."""
    files = {f"{number * 7919 % 500:03}" for number in range(500)} | {"a-b", "a.b", "a0", "a\xff", "A"}
    for name in files:
        (tmp_path / name).touch()
    (tmp_path / "a").mkdir()
    listed = [name.removeprefix("/") for name in below(tmp_path, driver.listing(fileset_of(tmp_path)))]
    assert listed == [*stored_order(files | {"a"}, {"a"}), ""]
    assert listed.index("a-b") < listed.index("a.b") < listed.index("a") < listed.index("a0")


@pytest.fixture(scope="session")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """An agent that may keep 4 KiB of names, and has to read a directory again and again."""
    made = tmp_path_factory.mktemp("forgetful")
    target = build.native(sanitize="FILED_TEST_AGENTS" in os.environ)
    flags = (*target.compile_flags, "-DNAMES_MOST=4096u", "-DNAMES_LEAST=256u")
    agent = build.read_agent(build.ROOT / "native_agents" / "filesystem")
    build.compile_agent(build.ROOT, agent, replace(target, compile_flags=flags), made)
    return Driver(load("filesystem", [made]))


def test_a_directory_of_more_names_than_are_kept_is_in_order_too(forgetful: Driver, tmp_path: Path) -> None:
    files = {f"name-{number * 7919 % 1000:03}" for number in range(1000)}
    for name in files:
        (tmp_path / name).touch()
    listed = below(tmp_path, forgetful.listing(fileset_of(tmp_path)))
    assert listed == [*(f"/{name}" for name in stored_order(files)), ""]


def test_directories_within_each_other_share_what_is_kept_of_names(forgetful: Driver, tmp_path: Path) -> None:
    """Where nothing is left for the inner ones, their names come as they are in the directory; each once in any case."""
    expected = set()
    for level in range(8):
        directory = tmp_path.joinpath(*["m"] * level)
        directory.mkdir(exist_ok=True)
        expected.add("/m" * level)
        for number in range(150):
            (directory / f"{number * 7919 % 150:03}").touch()
            (directory / f"z{number:03}").mkdir()
            expected |= {"/m" * level + f"/{number:03}", "/m" * level + f"/z{number:03}"}
    listed = below(tmp_path, forgetful.listing(fileset_of(tmp_path)))
    assert len(listed) == len(expected)
    assert set(listed) == expected
    top = [name for name in listed if name.count("/") == 1]
    assert top == stored_order(top, {name for name in top if name[1] in "mz"})


def test_a_name_that_goes_between_two_readings_is_not_listed(forgetful: Driver, tmp_path: Path) -> None:
    for number in range(600):
        (tmp_path / f"{number:03}").mkdir()

    def remove(path: bytes) -> None:
        if path.endswith(b"/000"):
            (tmp_path / "599").rmdir()
            (tmp_path / "600").mkdir()

    listed = below(tmp_path, forgetful.listing(fileset_of(tmp_path), Host(on_match=remove)))
    assert listed == [*(f"/{number:03}" for number in range(601) if number != 599), ""]


def test_every_type_and_its_attributes(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "directory").mkdir(mode=0o750)
    (tmp_path / "link").symlink_to("nowhere/at all")
    os.mkfifo(tmp_path / "fifo", 0o640)
    os.utime(tmp_path / "file", ns=(1_000_000_000_123_456_789, -5_500_000_000))
    os.link(tmp_path / "file", tmp_path / "other")
    host = Host()
    found = {os.path.basename(item.name): item for item in driver.listing(fileset_of(tmp_path), host)}
    assert {name: item.entry.type for name, item in found.items() if name != os.fsencode(tmp_path.name)} == {
        b"file": EntryType.REGULAR,
        b"other": EntryType.REGULAR,
        b"directory": EntryType.DIRECTORY,
        b"link": EntryType.SYMLINK,
        b"fifo": EntryType.FIFO,
    }
    file, status = found[b"file"].entry, (tmp_path / "file").lstat()
    assert (file.size, file.mode, file.uid, file.gid) == (5, status.st_mode, status.st_uid, status.st_gid)
    assert (file.dev, file.ino, file.nlink) == (status.st_dev, status.st_ino, 2)
    assert (file.blocks, file.blksize) == (status.st_blocks, status.st_blksize)
    assert (file.atime, file.atime_ns) == (1_000_000_000, 123_456_789)
    assert (file.mtime, file.mtime_ns) == (-6, 500_000_000)
    assert file.chtime * 10**9 + file.chtime_ns == status.st_ctime_ns
    assert file.valid & ~Has.BTIME == sum(Has) & ~Has.BTIME
    assert found[b"link"].link == b"nowhere/at all"
    assert found[b"other"].entry.ino == file.ino
    assert host.said == []


@pytest.mark.root
def test_device_nodes_keep_their_numbers(driver: Driver, tmp_path: Path) -> None:
    os.mknod(tmp_path / "null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(tmp_path / "disk", 0o600 | stat.S_IFBLK, os.makedev(4000, 70000))
    found = {item.entry.type: item.entry.rdev for item in driver.listing(fileset_of(tmp_path))}
    assert found[EntryType.CHARDEV] == os.makedev(1, 3)
    assert found[EntryType.BLOCKDEV] == os.makedev(4000, 70000)


def test_names_are_bytes(driver: Driver, tmp_path: Path) -> None:
    given = [
        b"new\nline",
        b"\xff\xfe not utf-8",
        b"back\\slash",
        b" ",
        b"-rf",
        b"*",
        b"...",
        b"x" * 255,
        "\u00fc".encode(),
    ]
    for name in given:
        (tmp_path / os.fsdecode(name)).touch()
    listed = {os.path.basename(item.name) for item in driver.listing(fileset_of(tmp_path))}
    assert listed >= set(given)


def test_an_item_may_have_any_name_too(driver: Driver, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"a\n\\n\xff b ")
    odd.mkdir()
    (odd / "file").touch()
    assert below(odd, driver.listing(fileset_of(odd))) == ["/file", ""]


def test_sockets_are_left_out_quietly(driver: Driver, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(tmp_path / "s"))
        host = Host()
        assert below(tmp_path, driver.listing(fileset_of(tmp_path), host)) == [""]
    assert host.said == [(Severity.DEBUG, "1 sockets were left out")]


# ---- File lines ------------------------------------------------------------------------------------------------------


def test_items_may_be_files_links_and_have_too_many_slashes(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("x")
    (tmp_path / "link").symlink_to("real")
    start = os.fsencode(tmp_path)
    found = driver.listing(
        fileset_of(start + b"//real/.//file", start + b"/./link", start + b"/link/../real/file2", start + b"/./real///")
    )
    assert below(tmp_path, found) == ["/real/file", "/link", "/real/file2", "/real"]
    assert [item.entry.flags & ~EntryFlag.REREAD for item in found] == [
        EntryFlag.TOP,
        EntryFlag.TOP,
        EntryFlag.TOP | EntryFlag.FAILED,
        EntryFlag.TOP,
    ]
    assert found[1].entry.type == EntryType.SYMLINK


@pytest.mark.parametrize("written", [[b"/link/"], [b"/link", b"/link//"], [b"/link/", b"/link"]])
def test_a_link_with_a_slash_at_its_end_is_the_directory(driver: Driver, tmp_path: Path, written: list[bytes]) -> None:
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "real" / "sub" / "file").write_text("x")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "plain").touch()
    found = driver.listing(fileset_of(*(os.fsencode(tmp_path) + path for path in (*written, b"/plain/"))))
    assert below(tmp_path, found) == ["/link/sub/file", "/link/sub", "/link", "/plain"]
    assert [item.entry.type for item in found[2:]] == [EntryType.DIRECTORY, EntryType.REGULAR]
    assert found[2].entry.flags == EntryFlag.TOP


def test_a_link_on_the_way_to_an_item_is_followed(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("x")
    (tmp_path / "link").symlink_to("real")
    assert below(tmp_path, driver.listing(fileset_of(tmp_path / "link" / "file"))) == ["/link/file"]


def test_an_item_that_is_not_there_is_told_and_counted(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    host = Host()
    found = driver.listing(fileset_of(tmp_path / "gone" / "deeper", tmp_path / "gone", tmp_path / "here"), host)
    assert [bool(item.entry.flags & EntryFlag.FAILED) for item in found] == [True, True, False]
    assert [text for text in host.warnings() if "No such file" in text and "gone" in text] == host.warnings()
    assert len(host.warnings()) == 2


def test_an_item_without_a_slash_is_an_error(driver: Driver) -> None:
    host = Host()
    assert driver.listing(fileset_of(b"etc"), host) == []
    assert host.said == [(Severity.ERROR, "File = etc is not an absolute path and is not saved")]


def test_the_root_of_all_is_an_item(driver: Driver) -> None:
    """Its entry is "/"; all that is in it is turned away here."""
    host = Host(rules={b"/" + os.fsencode(name): Verdict.SKIP for name in os.listdir("/")})
    found = driver.listing(fileset_of(b"/"), host)
    assert found[-1].name == b"/"
    assert found[-1].entry.flags == EntryFlag.TOP
    assert host.asked[0][0] == b"/"
    assert all(item.name.count(b"/") == 1 for item in found)


def test_what_is_an_item_itself_is_listed_once(driver: Driver, tmp_path: Path) -> None:
    for name in ("a", "a/b", "a/b/c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    found = driver.listing(fileset_of(tmp_path / "a" / "b", tmp_path / "a", tmp_path / "a" / "file", tmp_path / "a"))
    assert below(tmp_path, found)[:3] != []
    assert sorted(below(tmp_path, found)) == sorted(["/a", "/a/b", "/a/b/c", "/a/b/c/file", "/a/b/file", "/a/file"])
    assert {
        name for name, item in zip(below(tmp_path, found), found, strict=True) if item.entry.flags & ~EntryFlag.REREAD
    } == {
        "/a",
        "/a/b",
        "/a/file",
    }


def test_several_includes_have_their_own_markers(driver: Driver, tmp_path: Path) -> None:
    for top in ("one", "two"):
        for name in ("plain", "marked"):
            (tmp_path / top / name).mkdir(parents=True)
            (tmp_path / top / name / "file").touch()
        (tmp_path / top / "marked" / ".nobackup").touch()
    found = driver.listing(
        fileset_of(tmp_path / "one", markers=[b".nobackup"]) + b"E\nF *.o\nN\n" + fileset_of(tmp_path / "two")
    )
    kept = set(below(tmp_path, found))
    assert "/one/plain/file" in kept
    assert not {name for name in kept if name.startswith("/one/marked")}
    assert {"/two/marked", "/two/marked/file", "/two/marked/.nobackup"} <= kept


def test_a_marker_keeps_an_item_itself_out(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / ".nobackup").touch()
    assert driver.listing(fileset_of(tmp_path, markers=[b"x", b".nobackup"])) == []


def test_a_tag_of_caches_needs_its_signature(driver: Driver, tmp_path: Path) -> None:
    tag = tmp_path / "CACHEDIR.TAG"
    tag.touch()
    assert len(driver.listing(fileset_of(tmp_path, markers=[b"CACHEDIR.TAG"]))) == 2
    tag.write_text("Signature: 8a477f597d28d172789f06886806bc55")
    assert driver.listing(fileset_of(tmp_path, markers=[b"CACHEDIR.TAG"])) == []


# ---- verdicts ----------------------------------------------------------------------------------------------------------


def test_verdicts_decide_on_entry_and_content(driver: Driver, tmp_path: Path) -> None:
    rules = {}
    for verdict in (Verdict.TAKE, Verdict.SKIP, Verdict.DESCEND, Verdict.PRUNE):
        directory = tmp_path / verdict.name
        directory.mkdir()
        (directory / "file").touch()
        rules[os.fsencode(directory)] = verdict
    host = Host(rules=rules)
    found = set(below(tmp_path, driver.listing(fileset_of(tmp_path), host)))
    assert found == {"", "/TAKE", "/TAKE/file", "/DESCEND/file", "/PRUNE"}
    assert len(host.asked) == 5
    path, entry = host.asked[0]
    assert (path, entry.type, entry.flags) == (os.fsencode(tmp_path), EntryType.DIRECTORY, EntryFlag.TOP)
    assert entry.dev == tmp_path.stat().st_dev
    assert entry.valid & Has.FSTYPE
    assert entry.fs_type


@pytest.mark.root
def test_a_border_of_file_systems_is_the_hosts_to_see(driver: Driver, tmp_path: Path) -> None:
    inner = tmp_path / "mounted"
    inner.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", inner], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        (inner / "file").touch()
        host = Host()
        found = driver.listing(fileset_of(tmp_path), host)
        assert below(tmp_path, found) == ["/mounted/file", "/mounted", ""]
        entries = {os.path.basename(path): entry for path, entry in host.asked}
        assert entries[b"mounted"].dev != tmp_path.stat().st_dev
        assert entries[b"mounted"].fs_type == 0x01021994
        pruned = driver.listing(fileset_of(tmp_path), Host(rules={os.fsencode(inner): Verdict.PRUNE}))
        assert below(tmp_path, pruned) == ["/mounted", ""]
    finally:
        subprocess.run(["umount", inner], check=True)


@pytest.mark.root
def test_a_directory_mounted_inside_itself_ends(driver: Driver, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "file").touch()
    if subprocess.run(["mount", "--bind", tmp_path, inner], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        host = Host()
        assert sorted(below(tmp_path, driver.listing(fileset_of(tmp_path), host))) == ["", "/file", "/inner"]
        assert [severity for severity, _ in host.said] == [Severity.INFO]
    finally:
        subprocess.run(["umount", inner], check=True)


@pytest.mark.root
def test_nodump_is_told(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    if subprocess.run(["chattr", "+d", tmp_path / "file"], check=False, capture_output=True).returncode:
        pytest.skip("this file system has no such flag")
    found = driver.listing(fileset_of(tmp_path))
    assert [item.entry.attrs for item in found] == [Attr.NODUMP, 0]


# ---- depth ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("levels", "name"), [(300, "d" * 40), (1400, "d" * 40), (3000, "d"), (250, "x" * 255)])
def test_paths_far_longer_than_the_kernel_takes(driver: Driver, tmp_path: Path, levels: int, name: str) -> None:
    """Deeper than there are descriptors, too."""
    top = tmp_path / "t"
    top.mkdir()
    try:
        deep_tree(top, levels, name)
        (top / "beside").mkdir()
        found = driver.backup(fileset_of(top))
        leaves = [item for item in found if item.name.endswith(b"/leaf")]
        assert len(found) == levels + 2 + len(leaves)
        assert {item.data for item in leaves} == {
            b"level %d" % level for level in range(levels) if level % 100 == 99 or level == levels - 1
        }
        assert max(len(item.name) for item in found) >= levels * (len(name) + 1)
    finally:
        remove_deep(top)


def test_a_path_beyond_all_measure_is_told(driver: Driver, tmp_path: Path) -> None:
    top = tmp_path / "t"
    top.mkdir()
    (top / "file").touch()
    try:
        deep_tree(top, 300, "x" * 255)
        host = Host()
        found = driver.listing(fileset_of(top), host)
        assert max(len(item.name) for item in found) <= 65536
        assert "/file" in below(top, found)
        assert len(host.said) == 1
        assert host.said[0][0] == Severity.ERROR
        assert "longer than 65536 bytes" in host.said[0][1]
    finally:
        remove_deep(top)


def test_a_wide_directory_that_is_left_and_found_again(driver: Driver, tmp_path: Path) -> None:
    """More names than one call of the kernel gives, above more levels than descriptors are kept."""
    for number in range(3000):
        (tmp_path / f"file-with-a-long-name-{number:05}").touch()
    (tmp_path / "deep").mkdir()
    try:
        deep_tree(tmp_path / "deep", 600, "d")
        assert len(set(below(tmp_path, driver.listing(fileset_of(tmp_path))))) == 3000 + 600 + 6 + 2
    finally:
        remove_deep(tmp_path / "deep")


# ---- what changes or is barred ---------------------------------------------------------------------------------------------


def test_a_directory_that_vanishes_between_question_and_answer(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    host = Host()
    host.on_match = lambda path: os.rmdir(path) if path.endswith(b"/gone") else None
    assert below(tmp_path, driver.listing(fileset_of(tmp_path), host)) == [""]
    assert host.warnings() == []


def test_a_directory_swapped_for_a_link_is_not_entered(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "top" / "trap").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").touch()

    def swap(path: bytes) -> None:
        if path.endswith(b"/trap"):
            os.rmdir(path)
            os.symlink(tmp_path / "secret", path)

    host = Host(on_match=swap)
    assert below(tmp_path / "top", driver.listing(fileset_of(tmp_path / "top"), host)) == [""]


def test_what_may_not_be_read_is_failed_and_told(driver: Driver, open_tmp: Path) -> None:
    barred = open_tmp / "barred"
    barred.mkdir()
    (barred / "file").touch()
    (open_tmp / "open").touch()
    (open_tmp / "unsearchable").mkdir()
    (open_tmp / "unsearchable" / "hidden").touch()
    barred.chmod(0)
    (open_tmp / "unsearchable").chmod(0o444)

    def work() -> tuple[list[tuple[str, int]], list[str]]:
        host = Host()
        found = driver.listing(fileset_of(open_tmp), host)
        return list(
            zip(below(open_tmp, found), [item.entry.flags & ~EntryFlag.REREAD for item in found], strict=True)
        ), host.warnings()

    found, warnings = as_nobody(work)
    assert dict(found) == {
        "": EntryFlag.TOP,
        "/open": 0,
        "/barred": EntryFlag.FAILED,
        "/unsearchable": 0,
        "/unsearchable/hidden": EntryFlag.FAILED,
    }
    assert sorted(warnings) == sorted(
        [
            f"Cannot read directory {barred}: Permission denied",
            f"Cannot look at {open_tmp}/unsearchable/hidden: Permission denied",
        ]
    )
    barred.chmod(0o700)
    (open_tmp / "unsearchable").chmod(0o700)


def test_a_name_cannot_forge_a_message(driver: Driver, open_tmp: Path) -> None:
    (open_tmp / "x\nfiled: all is well\x1b[2J").mkdir(mode=0)

    def work() -> list[str]:
        host = Host()
        driver.listing(fileset_of(open_tmp), host)
        return host.warnings()

    (text,) = as_nobody(work)
    assert "x\\012filed: all is well\\033[2J" in text


def test_a_cancel_ends_the_walk(driver: Driver, tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / str(number)).touch()
    with driver.job(Begin(Kind.BACKUP, fileset=fileset_of(tmp_path))) as job:
        job.next_page()
        driver.status_page.ask_cancel()
        with pytest.raises(JobCanceled):
            job.next_page()
        job.end(Outcome.CANCELLED)


def test_lines_that_are_none_are_refused(driver: Driver) -> None:
    with pytest.raises(AgentError, match="FileSet has a line"), driver.job(Begin(Kind.BACKUP, fileset=b"I\nF /x")):
        pass
