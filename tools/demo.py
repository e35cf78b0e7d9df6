"""The main job, on real trees, by the command line alone: back up, change, back up again, restore both points in time.

    .venv/bin/python tools/demo.py [--keep] [--compress zstd3]

It copies /usr/include and Python's own library to a temporary directory, adds a few difficult files, and compares every
restored entry with what was there when it was saved: bytes, kind, mode, owner, times to the nanosecond, links, extended
attributes. Exit code 0 only when all of it is the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

FILED = Path(sys.executable).with_name("filed")


class Known(NamedTuple):
    """All that a backup has to bring back of one entry. `twins`: the paths that are the same file."""

    kind: int
    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    size: int
    content: str
    link: str
    attributes: tuple[tuple[str, bytes], ...]
    twins: tuple[str, ...]


def survey(tree: Path) -> dict[str, Known]:
    """Every entry at and below `tree`, by its path relative to it (bytes that are not UTF-8 as surrogates)."""
    paths = [tree]
    for directory, directories, files in os.walk(tree):
        paths += [Path(directory, name) for name in (*directories, *files)]
    by_inode: dict[tuple[int, int], list[str]] = {}
    for path in paths:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            by_inode.setdefault((found.st_dev, found.st_ino), []).append(str(path.relative_to(tree)))
    known = {}
    for path in paths:
        found = path.lstat()
        regular, link = stat.S_ISREG(found.st_mode), stat.S_ISLNK(found.st_mode)
        names = sorted(os.listxattr(path, follow_symlinks=False))
        known[str(path.relative_to(tree))] = Known(
            kind=stat.S_IFMT(found.st_mode),
            mode=stat.S_IMODE(found.st_mode),
            owner=(found.st_uid, found.st_gid),
            mtime_ns=found.st_mtime_ns,
            size=found.st_size if regular else 0,
            content=hashlib.sha256(path.read_bytes()).hexdigest() if regular else "",
            link=str(path.readlink()) if link else "",
            attributes=tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names),
            twins=tuple(sorted(by_inode.get((found.st_dev, found.st_ino), ()))),
        )
    return known


def differences(expected: dict[str, Known], found: dict[str, Known]) -> list[str]:
    """One line for each entry that is missing, extra or not the same."""
    lines = [f"missing: {path!r}" for path in expected.keys() - found.keys()]
    lines += [f"should not be there: {path!r}" for path in found.keys() - expected.keys()]
    for path in expected.keys() & found.keys():
        pairs = zip(Known._fields, expected[path], found[path], strict=True)
        lines += [f"{path!r}: {field} was {was!r}, is {now!r}" for field, was, now in pairs if was != now]
    return sorted(lines)


def plant(tree: Path) -> None:
    """The real trees, and what they lack: the files that backup programs get wrong."""
    tree.mkdir()
    ignore = shutil.ignore_patterns("site-packages", "dist-packages", "__pycache__")
    shutil.copytree("/usr/include", tree / "include", symlinks=True, ignore_dangling_symlinks=True)
    shutil.copytree(sysconfig.get_path("stdlib"), tree / "python", symlinks=True, ignore=ignore)
    odd = tree / "odd"
    odd.mkdir()
    (odd / "empty").touch()
    (odd / "one name").write_text("a file with two names\n")
    os.link(odd / "one name", odd / "the other name")
    (odd / "dangling").symlink_to("nowhere/at all")
    os.mkfifo(odd / "fifo", 0o640)
    with (odd / "sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(64 << 20)
        file.write(b"end")
    Path(os.fsdecode(os.fsencode(odd) + b"/not \xff UTF-8, and a\nnewline")).write_text("POSIX names are bytes\n")
    (odd / "private").write_text("only mine\n")
    (odd / "private").chmod(0o400)
    (odd / "sticky").mkdir()
    (odd / "sticky").chmod(0o1777)
    try:
        os.setxattr(odd / "private", "user.demo", b"kept\0too")
    except OSError:
        print("  (this file system has no extended attributes)")


def change(tree: Path) -> str:
    """A day of work; returns what was done. What vanishes and what comes must both be seen."""
    headers = sorted(path for path in (tree / "include").rglob("*.h") if path.is_file() and not path.is_symlink())
    modules = sorted(path for path in (tree / "python").glob("*.py"))
    for path in modules[:20]:
        with path.open("a") as file:
            file.write("# edited\n")
    kept_time = modules[20].stat()
    modules[20].write_bytes(modules[20].read_bytes().swapcase())
    os.utime(modules[20], ns=(kept_time.st_atime_ns, kept_time.st_mtime_ns))  # content changes, mtime and size do not
    for path in headers[:30]:
        path.unlink()
    shutil.rmtree(tree / "python" / "json")
    (tree / "python" / "email").rename(tree / "python" / "electronic mail")
    (tree / "new").mkdir()
    for n in range(50):
        (tree / "new" / f"note {n}").write_text(f"note number {n}\n" * n)
    modules[21].chmod(0o600)
    (tree / "odd" / "dangling").unlink()
    (tree / "odd" / "dangling").mkdir()
    return (
        "20 files edited, 1 changed behind its mtime, 50 added, 30 and a directory deleted, a directory renamed, "
        "a mode changed, a link became a directory"
    )


def filed(*arguments: str) -> Any:
    """One command's --json. Its messages go through to the terminal; a failure ends the demo."""
    run = subprocess.run([str(FILED), *arguments, "--json"], stdout=subprocess.PIPE, check=False)
    if run.returncode:
        sys.exit(f"demo: filed {' '.join(arguments)}: exit code {run.returncode}")
    return json.loads(run.stdout)


def mega(count: float) -> str:
    return f"{count / 1e6:,.1f} MB"


def told(job: dict[str, Any]) -> str:
    rate = job["read_bytes"] / 1e6 / max(job["seconds"], 0.001)
    ratio = f"{job['read_bytes'] / job['stored_bytes']:.1f} to 1" if job["stored_bytes"] else "nothing"
    deleted = f", {job['deleted']:,} seen as deleted" if job["deleted"] else ""
    return (
        f"Job {job['jobid']}: {job['files']:,} entries, {mega(job['read_bytes'])} read in {job['seconds']:.1f} s "
        f"({rate:,.0f} MB/s), {mega(job['stored_bytes'])} stored ({ratio}){deleted}, {job['errors']} errors"
    )


def restore_and_compare(store: Path, job: dict[str, Any], tree: Path, expected: dict[str, Known], where: Path) -> bool:
    began = time.monotonic()
    filed("restore", "-s", str(store), str(job["jobid"]), "--where", str(where))
    took = time.monotonic() - began
    found = differences(expected, survey(where / tree.relative_to("/")))
    verdict = "all the same" if not found else f"{len(found)} DIFFERENCES"
    print(f"Restore      Job {job['jobid']} in {took:.1f} s; {len(expected):,} entries compared: {verdict}")
    for line in found[:20]:
        print(f"             {line}")
    return not found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave the directory, to look around in it")
    parser.add_argument("--compress", default="zstd3")
    args = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="filed-demo-"))
    os.environ["XDG_STATE_HOME"] = str(place / "state")  # what filed remembers of the demo is not the user's business
    tree, store = place / "tree", place / "volumes"
    try:
        print(f"Tree         /usr/include and Python's library, copied to {tree}")
        plant(tree)
        first = survey(tree)
        backup = ("backup", "-s", str(store), "--compress", args.compress, "--digest", "sha256")
        full = filed(*backup, "--level", "full", str(tree))
        print(f"Full         {told(full)}")
        print(f"Changes      {change(tree)}")
        second = survey(tree)
        incremental = filed(*backup, "--level", "incremental", str(tree))
        print(f"Incremental  {told(incremental)}")
        good = [
            restore_and_compare(store, job, tree, expected, place / f"restored-{job['jobid']}")
            for job, expected in ((full, first), (incremental, second))
        ]
        filed("verify", "-s", str(store))
        print("Verify       every digest on the Volumes is right")
        volumes = ", ".join(
            f"{path.name} {mega(path.stat().st_size)}" for path in sorted(store.iterdir()) if path.is_file()
        )
        print(f"On disk      {volumes}")
    finally:
        if args.keep:
            print(f"Kept         {place}")
        else:
            shutil.rmtree(place)
    print("Good: both points in time came back as they were." if all(good) else "Bad: see above.")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
