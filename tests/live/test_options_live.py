"""Every option of a FileSet: the same Jobs with `filed daemon` and with Debian's File Daemon, and the catalog's rows of both.

Equal are: the entries, their order in no respect, all of LStat but atime, digests, deleted marks, and the counts of the Job.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.live.bacula import Bacula
from tests.live.daemons import BOTH
from tests.live.jobs import rows
from tests.live.releases import Release
from tests.live.reports import files, report, saved
from tests.live.trees import LONG_AGO, age, plant

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("bacula-dir", path="/usr/sbin:/usr/bin"), reason="no Bacula"),
]

CONTENTS = {
    "a": b"aaa\n",
    "A.TXT": b"upper",
    "hole": bytes(200_000) + b"end",
    "sub/c.txt": b"ccc\n",
    "sub/x/d.o": b"d",
    "skipped/.nobackup": b"",
    "skipped/inside": b"i",
}
MD5 = "signature = MD5"
ONCE = {  # of a Full
    "Plain": [],
    "None": [MD5],
    "Sha1": ["signature = SHA1"],
    "Sha512": ["signature = SHA512"],
    "Lzo": ["signature = SHA256", "compression = LZO"],
    "Gzip": [MD5, "compression = GZIP9"],
    "Sparse": [MD5, "sparse = yes"],
    "OneFs": [MD5, "onefs = no"],
    "NoRecurse": [MD5, "recurse = no"],
    "NoLinks": [MD5, "hardlinks = no"],
    "Portable": [MD5, "portable = yes"],
    "Hfs": [MD5, "hfsplussupport = yes"],
    "Replace": [MD5, "replace = never"],
    "Nodump": [MD5, "honor nodump flag = yes"],
    "Check": [MD5, "checkfilechanges = yes"],
    "Meta": [MD5, "aclsupport = yes", "xattrsupport = yes"],
    "Wild": [MD5, 'wild = "*/x*"', "exclude = yes"],
    "WildDir": [MD5, 'wilddir = "*/sub"', "exclude = yes"],
    "IgnoreCase": [MD5, "ignorecase = yes", 'wildfile = "*.txt"', "exclude = yes"],
    "Regex": [MD5, 'regexfile = "[.]o$"', "exclude = yes"],
    "RegexDir": [MD5, 'regexdir = "/sub/x$"', "exclude = yes"],
    "Enhanced": [MD5, "enhancedwild = yes", 'wild = "*.txt"', "exclude = yes"],
    "FsType": [MD5, "fstype = nosuchtype"],
    "Letters": [MD5, "verify = pins5", "accurate = pins5", "basejob = pnugsm5"],
    "KeepAtime": [MD5, "keepatime = yes"],
    "NoAtime": [MD5, "noatime = yes"],
}
LETTERS = ("m", "c", "s", "p", "n", "u", "i", "d", "A", "M", "sp5", "p5", "s1")  # of accurate Incrementals
AGAIN = {  # also an Incremental; name -> (options, whether it is accurate)
    **{f"By{number}": ([MD5, f"accurate = {letters}"], True) for number, letters in enumerate(LETTERS)},
    "Strip1": ([MD5, "strippath = 1"], True),
    "Strip": ([MD5, "strippath = {depth}"], True),
    "StripMore": ([MD5, "strippath = {deeper}"], True),
    "ByTime": ([MD5], False),
    "MtimeOnly": ([MD5, "mtimeonly = yes"], False),
}
MORE = {f"By{LETTERS.index(letters)}" for letters in ("M", "sp5", "p5", "s1")}
"""A digest that is not computed before the file is sent; and a new ctime, which does not make a file newer for bacula-fd."""
KEEP = {"KeepAtime", "NoAtime"}  # what they read is read by nobody else


@dataclass
class Found:
    """What came of one File Daemon's Jobs. rows: name -> entry -> (deleted, digest, the fields of LStat without atime)."""

    rows: dict[str, dict[str, tuple[object, ...]]] = field(default_factory=dict)
    counts: dict[str, tuple[object, ...]] = field(default_factory=dict)
    told: dict[str, list[str]] = field(default_factory=dict)
    atimes: dict[str, bool] = field(default_factory=dict)


def source(root: Path, name: str) -> Path:
    return root / (name if name in KEEP else "tree")


def make(root: Path) -> None:
    for tree in {source(root, name) for name in (*ONCE, *AGAIN)}:
        plant(tree, CONTENTS)
        (tree / "link").symlink_to("a")
        (tree / "hard").hardlink_to(tree / "a")
        os.mkfifo(tree / "fifo", 0o640)
        age(tree)


def change(tree: Path) -> None:
    """One change for each letter."""
    (tree / "A.TXT").chmod(0o600)
    (tree / "hole").write_bytes(b"short")
    os.utime(tree / "hole", (LONG_AGO, LONG_AGO))
    (tree / "sub" / "c.txt").write_bytes(b"CCC\n")
    (tree / "sub" / "x" / "d.o").unlink()
    (tree / "another").hardlink_to(tree / "a")
    os.utime(tree / "link", (LONG_AGO, LONG_AGO + 1), follow_symlinks=False)
    os.chown(tree / "sub", 1, -1)
    (tree / "new").write_bytes(b"new")


def file_set(root: Path, name: str, options: list[str]) -> str:
    depth = len(source(root, name).parts) - 1
    lines = "".join(f"      {option.format(depth=depth, deeper=depth + 1)}\n" for option in options)
    return (
        f"FileSet {{\n  Name = {name}\n  Include {{\n    Exclude Dir Containing = .nobackup\n    Options {{\n{lines}    }}\n"
        f'    File = "{source(root, name)}"\n  }}\n  Exclude {{\n    File = "*/nothing*"\n  }}\n}}\n'
    )


def take(bacula: Bacula, found: Found, names: list[str], ids: list[int]) -> None:
    for name, job_id in zip(names, ids, strict=True):
        found.rows[name] = {
            path: (deleted, digest, *(str(lstat).split()[:10] + str(lstat).split()[11:]))
            for path, (deleted, digest, lstat) in files(bacula, job_id).items()
        }
        found.counts[name] = rows(bacula, f"SELECT JobFiles, JobBytes, ReadBytes FROM Job WHERE JobId = {job_id}")[0]
        found.told[name] = [
            line.partition(": ")[2].strip() for line in report(bacula, job_id) if line.startswith(bacula.client)
        ]


def once(bacula: Bacula, root: Path, found: Found) -> None:
    take(bacula, found, [*ONCE], saved(bacula, *(f"{name} level=Full" for name in ONCE)))
    for name in KEEP:
        found.atimes[name] = (source(root, name) / "a").stat().st_atime == LONG_AGO


def again(bacula: Bacula, root: Path, found: Found) -> None:
    make(root)
    take(bacula, found, [*AGAIN], saved(bacula, *(f"{name} level=Full" for name in AGAIN)))
    time.sleep(1.1)  # times of seconds: what follows must not lie in the second of the Fulls
    change(root / "tree")
    ids = saved(bacula, *(f"{name} level=Incremental" for name in AGAIN))
    take(bacula, found, [f"{name} again" for name in AGAIN], ids)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, release: Release) -> tuple[Found, Found]:
    """Of `filed`, and of bacula-fd."""
    root = tmp_path_factory.mktemp("options")
    options = ONCE | {name: lines for name, (lines, _) in AGAIN.items()}
    accurate = {name for name, (_, exact) in AGAIN.items() if exact}
    jobs = "".join(
        f"Job {{ Name = {name}; JobDefs = Common; FileSet = {name}; Accurate = {'yes' if name in accurate else 'no'} }}\n"
        for name in options
    )
    results = (Found(), Found())
    with Bacula(root, release=release) as bacula:
        bacula.write_confs(file_sets="".join(file_set(root, name, lines) for name, lines in options.items()), jobs=jobs)
        bacula.make_catalog()
        bacula.start("sd", "dir")
        make(root)
        for work in (once, again):
            for daemon, found in zip(BOTH, results, strict=True):
                with daemon(bacula):
                    work(bacula, root, found)
    return results


def comparable(found: Found, name: str) -> dict[str, tuple[object, ...]]:
    """Who sets a time of access back makes a new ctime. Of two names of a file, whichever comes first has the data."""
    ctime, link = 2 + 11, 2 + 12
    compared = {
        path: (*row[:ctime], *row[ctime + (name == "KeepAtime") : link], row[link] != "A", *row[link + 1 :])
        for path, row in found.rows[name].items()
    }
    names = sorted(path for path in compared if os.path.basename(path) in {"a", "hard"})
    return compared | dict(zip(names, sorted((compared[path] for path in names), key=str), strict=True))


@pytest.mark.parametrize("name", ONCE)
def test_a_full_has_the_same_rows(both: tuple[Found, Found], name: str) -> None:
    ours, theirs = both
    assert comparable(ours, name) == comparable(theirs, name)
    assert len(ours.rows[name]) == ours.counts[name][0] == theirs.counts[name][0]
    if name not in {"Gzip", "Lzo", "Sparse"}:  # other compressors; zeros that are left out count as read
        assert ours.counts[name] == theirs.counts[name]


@pytest.mark.parametrize("name", sorted(AGAIN.keys() - MORE))
def test_an_incremental_has_the_same_rows(both: tuple[Found, Found], name: str) -> None:
    ours, theirs = ({key: row[0] for key, row in found.rows[f"{name} again"].items()} for found in both)
    if name.startswith("Strip"):  # bacula-fd marks a directory that it has just saved as deleted
        theirs = {entry: deleted and not entry.endswith("/") for entry, deleted in theirs.items()}
    extra = {entry for entry in ours.keys() - theirs.keys() if os.path.basename(entry) in {"a", "hard"}}
    assert {key: row for key, row in ours.items() if key not in extra} == theirs
    assert not extra or any(os.path.basename(entry) == "another" for entry in theirs), (
        "the other names of an inode come with a new one"
    )


@pytest.mark.parametrize("name", sorted(MORE))
def test_some_letters_save_too_much_at_worst(both: tuple[Found, Found], name: str) -> None:
    ours, theirs = (set(found.rows[f"{name} again"]) for found in both)
    assert theirs < ours


def test_stripped_names_are_the_same(both: tuple[Found, Found]) -> None:
    for name in ("Strip1", "Strip", "StripMore"):
        ours, theirs = (set(found.rows[name]) for found in both)
        assert ours == theirs
    assert "/a" in both[0].rows["Strip"]
    assert "/c.txt" in both[0].rows["StripMore"]


def test_times_of_access_are_left_alone(both: tuple[Found, Found]) -> None:
    ours, theirs = both
    assert ours.atimes == dict.fromkeys(KEEP, True)
    assert theirs.atimes["NoAtime"], "and of KeepAtime test_differences_live.py says more"


def test_what_is_not_descended_into_is_told(both: tuple[Found, Found]) -> None:
    for name, words in (("NoRecurse", "Recursion turned off. Will not descend"), ("FsType", "unlisted fstype")):
        for found in both:
            assert any(words in line for line in found.told[name])
