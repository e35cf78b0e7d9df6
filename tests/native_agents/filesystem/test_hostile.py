"""A restore into a tree, and of entries, made by somebody who wants something written elsewhere."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filed.agents import Begin, EntryType, Kind, Outcome, Replace
from filed.errors import AgentError, ItemError

from .driving import Driver, Host, Item, directory_item, entry_of, file_item, hard_link, link_item


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "precious").write_bytes(b"precious")
    return directory


@pytest.fixture
def where(tmp_path: Path) -> Path:
    directory = tmp_path / "where"
    directory.mkdir()
    return directory


def untouched(outside: Path) -> bool:
    return os.listdir(outside) == ["precious"] and (outside / "precious").read_bytes() == b"precious"


@pytest.mark.parametrize("dest", [b"/../outside/new", b"/a/../../outside/new", b"/..", b"/a/b/..", b"/../where2/x"])
def test_a_path_that_leaves_where_ends_the_job(driver: Driver, where: Path, outside: Path, dest: bytes) -> None:
    with (
        pytest.raises(AgentError, match="is not below"),
        driver.job(Begin(Kind.RESTORE, where=os.fsencode(where))) as job,
    ):
        driver.put(job, file_item(b"/x", b"x"), os.fsencode(where) + dest, b"", Replace.ALWAYS)
    assert untouched(outside)


@pytest.mark.parametrize("dest", [b"", b"2/x", b"relative"])
def test_so_does_one_that_only_looks_alike(driver: Driver, where: Path, dest: bytes) -> None:
    whole = dest if dest == b"relative" else os.fsencode(where) + dest
    item = file_item(b"/x", b"x")
    with driver.job(Begin(Kind.RESTORE, where=os.fsencode(where))) as job:
        with pytest.raises((AgentError, ItemError)):
            driver.put(job, item, whole, b"", Replace.ALWAYS)
        job.end(Outcome.FAILED)
    assert os.listdir(where) == []


def test_where_itself_must_be_plain(driver: Driver) -> None:
    for where in (b"/tmp/../etc", b"relative"):
        with pytest.raises(AgentError, match="absolute path"), driver.job(Begin(Kind.RESTORE, where=where)):
            pass


def test_slashes_too_many_do_no_harm(driver: Driver, where: Path) -> None:
    with driver.job(Begin(Kind.RESTORE, where=os.fsencode(where) + b"//./")) as job:
        driver.put(job, file_item(b"/x", b"x"), os.fsencode(where) + b"///a/./x", b"", Replace.ALWAYS)
        driver.put(job, directory_item(b"/x", 0o711), os.fsencode(where) + b"//a/", b"", Replace.ALWAYS)
        job.commit()
        job.end(Outcome.DONE)
    assert (where / "a" / "x").read_bytes() == b"x"
    assert stat.S_IMODE((where / "a").stat().st_mode) == 0o711


def test_no_link_inside_where_is_followed(driver: Driver, where: Path, outside: Path) -> None:
    (where / "d").symlink_to(outside)
    told = driver.restore([file_item(b"/d/new", b"x"), directory_item(b"/d/sub"), file_item(b"/ok", b"x")], where)
    assert "a symbolic link is in the way" in told[os.fsencode(where / "d" / "new")]
    assert untouched(outside)
    assert (where / "ok").exists()


def test_nor_one_that_the_backup_brings(driver: Driver, where: Path, outside: Path) -> None:
    target = os.fsencode(outside)
    items = [
        link_item(b"/d", target),
        file_item(b"/d/new", b"x"),
        file_item(b"/d/precious", b"x"),
        hard_link(b"/h", b"/d/precious"),
    ]
    told = driver.restore(items, where)
    assert untouched(outside)
    assert not (where / "h").exists()
    assert "symbolic link is in the way" in told[os.fsencode(where / "h")]


def test_a_link_where_a_file_goes_is_replaced_not_followed(driver: Driver, where: Path, outside: Path) -> None:
    (where / "file").symlink_to(outside / "precious")
    os.link(outside / "precious", where / "linked")
    driver.restore([file_item(b"/file", b"new"), file_item(b"/linked", b"new")], where)
    assert untouched(outside)
    assert (where / "file").read_bytes() == b"new"
    assert not (where / "file").is_symlink()


def test_a_link_where_a_directory_goes_is_replaced(driver: Driver, where: Path, outside: Path) -> None:
    outside.chmod(0o755)
    (where / "d").symlink_to(outside)
    driver.restore([directory_item(b"/d", 0o700), file_item(b"/d/x", b"x")], where)
    assert not (where / "d").is_symlink()
    assert (where / "d" / "x").exists()
    assert untouched(outside)
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755


def test_a_directory_swapped_before_the_end_is_not_dressed(driver: Driver, where: Path, outside: Path) -> None:
    outside.chmod(0o750)

    def swap(dest: bytes) -> None:
        if dest.endswith(b"/last"):
            os.rename(where / "d", where / "aside")
            (where / "d").symlink_to(outside)

    host = Host()
    driver.restore(
        [file_item(b"/d/x", b"x"), directory_item(b"/d", 0o777), file_item(b"/last", b"")], where, host, before=swap
    )
    assert untouched(outside)
    assert stat.S_IMODE(outside.stat().st_mode) == 0o750
    assert len(host.warnings()) == 1


def test_another_directory_in_its_place_is_not_dressed(driver: Driver, where: Path) -> None:
    def swap(dest: bytes) -> None:
        if dest.endswith(b"/last"):
            os.rename(where / "d", where / "aside")
            (where / "d").mkdir(mode=0o700)

    driver.restore([directory_item(b"/d", 0o777), file_item(b"/last", b"")], where, before=swap)
    assert stat.S_IMODE((where / "d").stat().st_mode) == 0o700


def test_a_race_over_directories_never_leads_out(driver: Driver, where: Path, outside: Path) -> None:
    """Somebody turns a directory into a link and back, as fast as he can, while files are restored in it."""
    stop = threading.Event()

    def attack() -> None:
        while not stop.is_set():
            try:
                os.rename(where / "d", where / "aside")
                os.symlink(outside, where / "d")
                os.unlink(where / "d")
                os.rename(where / "aside", where / "d")
            except OSError:
                pass

    (where / "d").mkdir()
    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        for _ in range(20):
            items = [item for n in range(20) for item in (file_item(b"/d/%d" % n, b"x"), file_item(b"/e/%d" % n, b"x"))]
            driver.restore([*items, directory_item(b"/d", 0o777)], where)
    finally:
        stop.set()
        attacker.join()
    assert untouched(outside)
    assert stat.S_IMODE(outside.stat().st_mode) != 0o777


# ---- restoring as saved: where is "" ----------------------------------------------------------------------------------------------


def restore_as_saved(driver: Driver, items: list[Item], host: Host | None = None) -> dict[bytes, str]:
    return driver.restore(items, None, host)


def test_as_saved_a_link_that_stood_there_is_followed(driver: Driver, where: Path, outside: Path) -> None:
    """As /home may be a link to another disk."""
    (where / "home").symlink_to("../outside")
    top = os.fsencode(where)
    told = restore_as_saved(
        driver,
        [
            file_item(top + b"/home/user/file", b"x"),
            directory_item(top + b"/home/user", 0o711),
            directory_item(top + b"/home", 0o701),
        ],
    )
    assert set(told.values()) == {"WANT", "CREATED"}
    assert (where / "home").is_symlink()
    assert (outside / "user" / "file").read_bytes() == b"x"
    assert stat.S_IMODE((outside / "user").stat().st_mode) == 0o711
    assert stat.S_IMODE(outside.stat().st_mode) == 0o701


def test_as_saved_a_link_that_this_job_made_is_not(driver: Driver, where: Path, outside: Path) -> None:
    top = os.fsencode(where)
    told = restore_as_saved(driver, [link_item(top + b"/l", os.fsencode(outside)), file_item(top + b"/l/new", b"x")])
    assert untouched(outside)
    assert "symbolic link is in the way" in told[top + b"/l/new"]


def test_nor_one_on_the_way_of_a_trusted_one(driver: Driver, where: Path, outside: Path) -> None:
    (where / "trusted").symlink_to("made/deeper")
    top = os.fsencode(where)
    items = [link_item(top + b"/made", os.fsencode(outside)), file_item(top + b"/trusted/new", b"x")]
    (outside / "deeper").mkdir()
    restore_as_saved(driver, items)
    assert os.listdir(outside / "deeper") == []


@pytest.mark.root
def test_as_saved_a_link_of_somebody_else_is_not_followed(driver: Driver, where: Path, outside: Path) -> None:
    (where / "l").symlink_to(outside)
    os.chown(where / "l", 1234, 1234, follow_symlinks=False)
    restore_as_saved(driver, [file_item(os.fsencode(where) + b"/l/new", b"x")])
    assert untouched(outside)


def test_links_in_a_circle_end(driver: Driver, where: Path) -> None:
    (where / "a").symlink_to("b")
    (where / "b").symlink_to("a")
    told = restore_as_saved(driver, [file_item(os.fsencode(where) + b"/a/new", b"x")])
    assert "symbolic link" in next(iter(told.values()))


# ---- entries that no backup makes ---------------------------------------------------------------------------------------------------


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(
        st.tuples(
            st.sampled_from(EntryType),
            st.lists(st.sampled_from([b"a", b"b", b"..", b".", b"", b"l" * 300]), max_size=4),
            st.sampled_from([b"", b"a", b"/etc", b"../..", b"b/a"]),
        ),
        max_size=12,
    ),
    mode=st.sampled_from(Replace),
)
def test_whatever_comes_stays_inside(
    driver: Driver, tmp_path: Path, outside: Path, kinds: list[tuple[EntryType, list[bytes], bytes]], mode: Replace
) -> None:
    where = tmp_path / "where"
    where.mkdir(exist_ok=True)
    top = os.fsencode(where)
    with driver.job(Begin(Kind.RESTORE, where=top)) as job:
        for kind, parts, link in kinds:
            entry = entry_of(kind, 0o644, rdev=os.makedev(1, 3))
            item = file_item(b"/x", b"data")
            item.entry, item.link = entry, link
            if kind != EntryType.REGULAR:
                item.pieces, item.size = [], None
            dest = b"/".join([top, *parts])
            try:
                driver.put(job, item, dest, top + b"/" + link if kind == EntryType.HARDLINK else link, mode)
            except ItemError:
                pass
            except AgentError as error:
                if not (b".." in parts or b".." in link or kind == EntryType.OBJECT or "is not below" in str(error)):
                    raise
        job.commit()
        job.end(Outcome.DONE)
    assert untouched(outside)
    assert sorted(os.listdir(tmp_path)) == ["outside", "where"]
