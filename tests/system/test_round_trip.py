"""A tree with every kind of entry comes back as it was: as root, as an ordinary user, and however it is kept."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.system.conftest import Store
from tests.system.odd_tree import GIB, MIB, kinds, odd_tree
from tests.system.program import NOBODY, become, filed, fork
from tests.system.trees import Directory, File, assert_same, plant, restorable, survey
from tests.vector_keys import KEYS

ROOT = os.geteuid() == 0
PAIR, MASTER = KEYS / "TEST-ONLY-client.pem", KEYS / "TEST-ONLY-master.pem"
SECRET = ("--encrypt", f"{PAIR},{KEYS / 'TEST-ONLY-master.crt'}")


def restored(where: Path, tree: Path) -> Path:
    return where / tree.relative_to("/")


def test_every_kind_of_entry_comes_back_as_it_was(place: Path, store: Store) -> None:
    tree = plant(place / "tree", odd_tree(root=ROOT))
    before = survey(tree)
    saved = store.backup("full", tree)
    assert (saved["errors"], saved["warnings"]) == (0, 0)
    assert saved["files"] == len(restorable(before))
    assert survey(tree) == before, "a backup changes nothing"
    report = store("restore", "--where", place / "r", "--json").json
    assert (report["errors"], report["warnings"], report["files"]) == (0, 0, saved["files"])
    assert_same(restorable(before), survey(restored(place / "r", tree)))
    assert store("verify").err == ""
    assert store("verify", "--disk").err == ""


@pytest.mark.parametrize(
    ("kept", "opens"),
    [
        ("--compress gzip6 --digest sha256", None),
        ("--compress lzo --digest xxh3_128", None),
        ("--compress none --digest none", None),
        ("--compress zstd3 --digest none", PAIR),
        ("--compress none --digest sha256", MASTER),
        ("--compress gzip1 --digest sha1", PAIR),
    ],
)
def test_it_comes_back_however_it_is_kept(place: Path, store: Store, kept: str, opens: Path | None) -> None:
    """opens: the private key of a reader, when encrypted. Encrypted files have their holes filled, so those are small."""
    tree = plant(place / "tree", odd_tree(root=ROOT, sparse_bytes=8 * MIB if opens else 20 * GIB))
    before = survey(tree)
    # Who opens with the master key needs our certificate to believe the signatures.
    keys = ("--keys", f"{opens},{KEYS / 'TEST-ONLY-client.crt'}") if opens else ()
    store.backup("full", tree, *kept.split(), *(SECRET if opens else ()))
    store("verify", *keys)
    store("restore", "--where", place / "r", *keys)
    but = frozenset({"allocated"}) if opens else frozenset[str]()
    assert_same(restorable(before), survey(restored(place / "r", tree)), but=but)


def test_holes_cost_nothing_on_the_volume(place: Path, store: Store) -> None:
    tree = plant(place / "tree", Directory(entries={b"hole": File(size=100 * GIB, pieces=((50 * GIB, b"island"),))}))
    began = time.monotonic()
    saved = store.backup("full", tree, "--digest", "xxh3_128")
    assert saved["stored_bytes"] < 100_000  # type: ignore[operator]
    assert time.monotonic() - began < 60
    store("restore", "--where", place / "r")
    assert_same(survey(tree), survey(restored(place / "r", tree)))


@pytest.mark.root
def test_an_ordinary_user_saves_and_restores_what_is_his(place: Path) -> None:
    home = place / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    _as_user(lambda: plant(home / "tree", odd_tree(root=False, sparse_bytes=GIB)))
    before = survey(home / "tree")
    saved = filed("backup", "-s", home / "volumes", home / "tree", "--json", user=NOBODY)
    assert (saved.json["errors"], saved.json["files"]) == (0, len(restorable(before)))
    report = filed("restore", "-s", home / "volumes", "--where", home / "r", "--json", user=NOBODY)
    assert (report.json["errors"], report.json["warnings"], report.err) == (0, 0, "")
    assert_same(restorable(before), survey(restored(home / "r", home / "tree")))


@pytest.mark.root
def test_what_an_ordinary_user_may_not_restore_is_told_and_counted(place: Path) -> None:
    """Saved by root, restored by somebody: contents and times are right, owners and special rights are not lent."""
    tree = plant(place / "tree", kinds(root=True))
    before = survey(tree)
    filed("backup", "-s", place / "volumes", tree)
    shutil.chown(place / "volumes", NOBODY, NOBODY)
    for path in (place / "volumes").iterdir():
        shutil.chown(path, NOBODY, NOBODY)
    (place / "r").mkdir()
    os.chown(place / "r", NOBODY, NOBODY)
    ran = filed("restore", "-s", place / "volumes", "--where", place / "r", "--json", user=NOBODY, code=(2, 3))
    assert ran.json["warnings"] > 0
    assert "the owner" in ran.err
    assert "device" in ran.err
    found = survey(restored(place / "r", tree))
    devices = {b"character device", b"block device"}
    expected = {path: known for path, known in restorable(before).items() if path not in devices}
    assert_same(expected, found, but=frozenset({"uid", "gid", "mode"}))
    for path, known in found.items():
        assert (known.uid, known.gid) == (NOBODY, NOBODY)
        assert not known.mode & 0o6000 or known.kind == "directory", path
        assert known.mode & 0o777 == expected[path].mode & 0o777


@pytest.mark.root
def test_what_an_ordinary_user_may_not_read_is_a_counted_warning(place: Path) -> None:
    tree = plant(
        place / "tree",
        Directory(
            mode=0o755,
            entries={
                b"open": File(b"for all", mode=0o644),
                b"closed": File(b"for root", mode=0o600),
                b"closed directory": Directory(mode=0o700, entries={b"in it": File(b"x")}),
            },
        ),
    )
    (place / "home").mkdir()
    os.chown(place / "home", NOBODY, NOBODY)
    ran = filed("backup", "-s", place / "home" / "v", tree, "--json", user=NOBODY, code=3)
    assert (ran.json["status"], ran.json["errors"]) == ("W", 2)
    assert f"{tree}/closed: Permission denied" in ran.err
    assert f"{tree}/closed directory: Permission denied" in ran.err
    store = Store(place / "home" / "v")
    # Root takes no directory of Volumes that somebody else could change.
    for path in (store.path, *store.path.iterdir()):
        os.chown(path, 0, 0)
    store("restore", "--where", place / "r")
    found = survey(restored(place / "r", tree))
    assert found.keys() == {b"", b"open"}
    assert [job["status"] for job in store.jobs()] == ["W"]


@pytest.mark.slow
def test_a_hundred_thousand_small_files(memory: Path) -> None:
    tree, store, place = memory / "tree", Store(memory / "volumes"), memory
    tree.mkdir()
    for folder in range(100):
        (tree / f"{folder:03}").mkdir()
        at = os.open(tree / f"{folder:03}", os.O_RDONLY | os.O_DIRECTORY)
        for number in range(1000):
            fd = os.open(f"file {number}", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=at)
            os.write(fd, b"%d %d\n" % (folder, number) * (number % 50))
            os.close(fd)
        os.close(at)
    before = survey(tree)
    assert store.backup("full", tree)["files"] == 100_101
    store("restore", "--where", place / "r")
    assert_same(before, survey(restored(place / "r", tree)))
    again = store.backup("incremental", tree)
    assert (again["files"], again["deleted"]) == (0, 0)


def _as_user(action: object) -> None:
    """Call it in a child that is nobody."""
    pid = fork()
    if pid == 0:
        code = 1
        try:
            become(NOBODY)
            action()  # type: ignore[operator]
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
