"""Restores as a console asks for them: where, under which names, over what is there, of which Jobs; and damage on the way.

The same restores with `filed daemon` and with Debian's File Daemon, from one Director and two Storages.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.live.bacula import Bacula
from tests.live.daemons import BOTH
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import Entry, Shown, shown, status_of
from tests.live.releases import Release
from tests.live.reports import expect_report, report, restore, saved, summary
from tests.live.trees import LONG_AGO, age, plant
from tests.vector_keys import KEYS

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("bacula-dir", path="/usr/sbin:/usr/bin"), reason="no Bacula"),
]

CONTENTS = {
    "older": b"saved 1\n",
    "same": b"saved 2\n",
    "newer": b"saved 3\n",
    "sub/c": b"ccc\n",
    "sub/deep/d": b"ddd\n",
}
MODES = ("always", "ifnewer", "ifolder", "never")
HARD_LINK = (b"/same", b"/hard")  # two names of one saved file; "same" is there already
SHIFTS = {"older": -1000, "same": 0, "newer": 1000}  # of what is there already


@dataclass
class Back:
    """What one File Daemon restored: name of the restore -> (status, what lies there, files the Director counted)."""

    found: dict[str, tuple[str, Shown, str]] = field(default_factory=dict)


@dataclass
class Scene:
    bacula: Bacula
    tree: Path
    backs: tuple[Back, Back]
    chain: tuple[int, int, int]
    at_last: Shown
    signed: tuple[str, str, list[str]]  # how the restores of a whole and of a damaged Job ended, and what was told


def second_storage(bacula: Bacula) -> None:
    """One more Device, and a Storage for it."""
    with bacula.conf("sd").open("a") as conf:
        conf.write(
            f'Device {{\n  Name = Files2\n  Media Type = File2\n  Archive Device = "{bacula.root}"\n  LabelMedia = yes\n'
            "  Random Access = yes\n  AutomaticMount = yes\n  RemovableMedia = no\n  AlwaysOpen = no\n}\n"
        )
    with bacula.conf("dir").open("a") as conf:
        conf.write(
            f"Storage {{\n  Name = Disk2\n  Address = 127.0.0.1\n  SDPort = {bacula.ports['sd']}\n"
            f'  Password = "{bacula.password}"\n  Device = Files2\n  Media Type = File2\n  Maximum Concurrent Jobs = 5\n}}\n'
            'Pool {\n  Name = Second\n  Pool Type = Backup\n  Recycle = no\n  AutoPrune = no\n  Label Format = "Second-"\n}\n'
        )


def names_of(bacula: Bacula, tree: Path) -> dict[str, str]:
    """Ways to call what is restored; all of it lands below a directory of the way's name."""
    there, top = bacula.root / "back", tree.parent
    return {
        "suffix": f"strip_prefix={top} add_prefix={there}/suffix add_suffix=.old",
        "regex": f"regexwhere=!{top}!{there}/regex!,!/(OLD)er$!/$1!i,!(d)$!D\\1!",
        "bad": "regexwhere=!unclosed",
        **{mode: f"where={there}/{mode} replace={mode}" for mode in MODES},
    }


def restore_in_all_ways(bacula: Bacula, tree: Path, job_id: int) -> Back:
    there = bacula.root / "back"
    shutil.rmtree(there, ignore_errors=True)
    for mode in MODES:
        place = there / mode / tree.relative_to("/")
        place.mkdir(parents=True)
        for name, shift in SHIFTS.items():
            (place / name).write_bytes(b"what was there\n")
            os.utime(place / name, (LONG_AGO + shift, LONG_AGO + shift))
    ways = names_of(bacula, tree)
    back = Back()
    for way, how in ways.items():  # one after the other: the Storage Daemon has one device
        number = restore(bacula, str(job_id), how)
        top = there / way
        tree_there = shown(top) if top.exists() else {}
        if (
            way in MODES
        ):  # directories that were there: one may be left alone, and its time is that of the last change in it
            tree_there = {name: row for name, row in tree_there.items() if not stat.S_ISDIR(row.mode)}
        for name in {".", *map(str, Path("x", tree.relative_to("/")).parents)}:
            tree_there.pop(os.fsencode(os.path.relpath(name, "x")), None)  # made on the way to the tree
        back.found[way] = (status_of(bacula, number), tree_there, summary(bacula, number)["Files Restored"])
    return back


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Scene]:
    root = tmp_path_factory.mktemp("restore")
    tree = root / "tree"
    file_set = f'FileSet {{ Name = T; Include {{ Options {{ signature = MD5 }} File = "{tree}" }} }}\n'
    file_set += f'FileSet {{ Name = Unsummed; Include {{ File = "{tree}" }} }}\n'
    jobs = "Job { Name = Save; JobDefs = Common; FileSet = T }\nJob { Name = Signed; JobDefs = Common; FileSet = Unsummed }\n"
    with Bacula(root, release=release) as bacula:
        bacula.write_confs(file_sets=file_set, jobs=jobs, device="  Block Checksum = no\n")
        second_storage(bacula)
        bacula.make_catalog()
        bacula.start("sd", "dir")
        plant(tree, CONTENTS)
        (tree / "link").symlink_to("older")
        (tree / "hard").hardlink_to(tree / "same")
        age(tree)
        backs: list[Back] = []
        for daemon in BOTH:
            with daemon(bacula):
                (full,) = saved(bacula, "Save level=Full")
                backs.append(restore_in_all_ways(bacula, tree, full))
        signed = with_signatures(bacula)
        with FiledDaemon(bacula):
            chain = chain_of_three(bacula, tree)
            yield Scene(bacula, tree, (backs[0], backs[1]), chain, shown(tree), signed)


def with_signatures(bacula: Bacula) -> tuple[str, str, list[str]]:
    conf = bacula.conf("fd")
    plain = conf.read_text()
    pki = f'FileDaemon {{\n  PKI Signatures = yes\n  PKI Keypair = "{KEYS}/TEST-ONLY-client.pem"'
    conf.write_text(plain.replace("FileDaemon {", pki))
    with FiledDaemon(bacula):
        (full,) = saved(bacula, "Signed level=Full")
        whole = restore(bacula, str(full), f"where={bacula.root}/signed")
        damaged(bacula, CONTENTS["sub/c"])
        forged = restore(bacula, str(full), f"where={bacula.root}/forged")
        result = status_of(bacula, whole), status_of(bacula, forged), report(bacula, forged)
    conf.write_text(plain)
    return result


def chain_of_three(bacula: Bacula, tree: Path) -> tuple[int, int, int]:
    """A Full and an Incremental on one Storage, a Differential on the other, the tree changed in between."""
    (full,) = saved(bacula, "Save level=Full")
    time.sleep(1.1)  # times of seconds: what follows must not lie in the second of the Full
    (tree / "older").write_bytes(b"changed for the Differential\n")
    (tree / "sub" / "of differential").write_bytes(b"1")
    (differential,) = saved(bacula, "Save level=Differential storage=Disk2 pool=Second")
    time.sleep(1.1)
    (tree / "older").write_bytes(b"changed for the Incremental\n")
    (tree / "sub" / "deep" / "of incremental").write_bytes(b"2")
    (incremental,) = saved(bacula, "Save level=Incremental")
    return full, differential, incremental


@pytest.mark.parametrize("way", ["suffix", "regex", "bad", *MODES])
def test_files_come_back_where_and_as_with_bacula_fd(scene: Scene, way: str) -> None:
    ours, theirs = (back.found[way] for back in scene.backs)
    apart = HARD_LINK if way in MODES[1:] else ()
    assert {path for path, _ in ours[1].items() ^ theirs[1].items() if not path.endswith(apart)} == set()
    assert ours[1].keys() == theirs[1].keys()
    assert (ours[0], ours[2]) == (theirs[0], theirs[2])
    assert ours[0] == ("f" if way == "bad" else "T")


@pytest.mark.parametrize("way", MODES[1:])
def test_a_missing_name_of_a_kept_file_gets_what_was_saved_where_bacula_fd_links_it_to_the_kept_one(
    scene: Scene, way: str
) -> None:
    ours, theirs = ({path[-5:]: row for path, row in back.found[way][1].items()} for back in scene.backs)
    kept, linked = HARD_LINK
    assert ours[kept].content == theirs[kept].content == theirs[linked].content == b"what was there\n"
    assert ours[linked].content.startswith(b"saved ")
    assert (ours[linked].links, theirs[linked].links) == (1, 2)


def is_old(path: bytes, name: str, row: Entry) -> bool:
    return path.endswith(os.fsencode("/" + name)) and row.content == b"what was there\n"


def test_every_replace_mode_does_what_it_says(scene: Scene) -> None:
    kept = {
        mode: {
            name for path, row in scene.backs[0].found[mode][1].items() for name in SHIFTS if is_old(path, name, row)
        }
        for mode in MODES
    }
    assert kept == {"always": set(), "ifnewer": {"same", "newer"}, "ifolder": {"older", "same"}, "never": {*SHIFTS}}


def test_several_jobs_of_all_levels_are_one_tree(scene: Scene) -> None:
    bacula, tree = scene.bacula, scene.tree
    full, differential, incremental = scene.chain
    where = bacula.root / "all"
    done = restore(bacula, f"{full},{differential},{incremental}", f"where={where}")
    assert status_of(bacula, done) == "T"
    assert shown(where / tree.relative_to("/")) == scene.at_last
    before = restore(bacula, f"{full},{differential}", f"where={bacula.root}/before")
    assert status_of(bacula, before) == "T"
    found = bacula.root / "before" / tree.relative_to("/")
    assert (found / "older").read_bytes() == b"changed for the Differential\n"
    assert not (found / "sub" / "deep" / "of incremental").exists()


@pytest.mark.parametrize("newest_first", [False, True])
def test_rounds_from_two_storages_keep_the_times_of_directories(scene: Scene, newest_first: bool) -> None:  # noqa: FBT001
    bacula, tree = scene.bacula, scene.tree
    full, differential, _ = scene.chain
    ids = (differential, full) if newest_first else (full, differential)
    where = bacula.root / f"rounds{newest_first:d}"
    done = restore(bacula, ",".join(map(str, ids)), f"where={where}")
    assert status_of(bacula, done) == "T", report(bacula, done)
    devices = re.findall(r'Ready to read from volume \S+ on File device "(\w+)"', "\n".join(report(bacula, done)))
    assert devices == (["Files2", "Files"] if newest_first else ["Files", "Files2"])
    found = where / tree.relative_to("/")
    assert int((found / "sub" / "deep").stat().st_mtime) == LONG_AGO
    assert found.stat().st_mtime == LONG_AGO, "its own entry is of the Full, with files of both Storages below"
    assert (found / "sub" / "of differential").read_bytes() == b"1"


def test_only_what_is_marked_comes_back(scene: Scene) -> None:
    bacula, tree = scene.bacula, scene.tree
    where = bacula.root / "some"
    said = bacula.console(
        f"restore client={bacula.client} jobid={scene.chain[0]} where={where}",
        f"cd {tree}",
        "mark older",
        "cd sub",
        "mark c",
        "done",
        "yes",
        "wait",
    )
    (number,) = re.findall(r"Job queued. JobId=(\d+)", said)
    expect_report(bacula, int(number))
    assert status_of(bacula, int(number)) == "T", said
    top = where / tree.relative_to("/")
    assert {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()} == {"older", "sub/c"}


def damaged(bacula: Bacula, whole: bytes) -> None:
    (volume,) = bacula.volumes.iterdir()
    data = bytearray(volume.read_bytes())
    data[data.rindex(whole) + 1] ^= 1
    volume.write_bytes(data)


def test_a_file_that_is_not_what_was_saved_is_named_and_the_job_in_error(scene: Scene) -> None:
    bacula, tree = scene.bacula, scene.tree
    (full,) = saved(bacula, "Save level=Full")
    damaged(bacula, CONTENTS["sub/c"])
    done = restore(bacula, str(full), f"where={bacula.root}/damaged")
    assert status_of(bacula, done) == "E"
    (said,) = [line for line in report(bacula, done) if "Error: " in line and "t-fd" in line]
    assert f"{tree}/sub/c: the content is not what was saved" in said
    found = bacula.root / "damaged" / tree.relative_to("/")
    assert (found / "newer").read_bytes() == CONTENTS["newer"], "the others are there"


def test_a_signature_over_something_else_is_an_error(scene: Scene) -> None:
    whole, forged, told = scene.signed
    assert (whole, forged) == ("T", "E")
    assert any(f"{scene.tree}/sub/c: " in line and "signature" in line for line in told)
