"""A tree that somebody works on, for hours: an Incremental with the journal every few minutes, each compared with a full look at the tree.

    python -m tests.native_agents.filesystem.long_run --hours 24 --every 300 --work /var/tmp/long-run /home/me/checkout

What the chain of Jobs says of a path, its kind, mode, owner, size, times and inode, has to be what is there, unless it changed since the Job
began: then its ctime, or that of a directory above it, says so. Prints a line for each Job; exit code 1 when there was a difference.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import build
from filed.catalog import Catalog
from filed.wire.attributes import decode_stat, parse_nanoseconds

FILED = (sys.executable, "-c", "from filed.cli.main import main; main()")
KINDS = 0o170000
Known = tuple[int, ...]

CONF = """
FileDaemon {{ Name = long-run; Plugin Directory = "{agents}" }}
plugin filesystem {{
  journal = yes
  journal_directory = "{journal}"
}}
Storage {{ Name = volumes; Archive Device = "{volumes}" }}
FileSet {{ Name = tree
  Include {{ Options {{ signature = xxh3_128 }}
{lines}  }}
}}
Job {{ Name = long-run; FileSet = tree; Storage = volumes; Level = Incremental }}
"""


def known(st: os.stat_result) -> Known:
    size = 0 if st.st_mode & KINDS == 0o040000 else st.st_size
    return st.st_mode, st.st_uid, st.st_gid, size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino


def what_is_there(tops: Sequence[bytes]) -> Iterator[tuple[bytes, Known]]:
    """But for sockets, which no backup has. A directory ends in a slash."""
    below = list(tops)
    while below:
        directory = below.pop()
        try:
            yield directory + b"/", known(os.lstat(directory))
            entries = list(os.scandir(directory))
        except OSError:
            continue  # it has gone meanwhile
        for entry in entries:
            try:
                st = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            elif st.st_mode & KINDS != 0o140000:
                yield entry.path, known(st)


def what_is_saved(catalog: Catalog, job_id: int, tops: Sequence[bytes]) -> Iterator[tuple[bytes, Known]]:
    for row in catalog.tree(job_id):
        stat, parts = decode_stat(row.lstat), parse_nanoseconds(row.extended)
        if parts is None or not any(row.path.startswith(top + b"/") for top in tops):
            continue
        size = 0 if row.path.endswith(b"/") else stat.size
        mtime, ctime = (seconds * 10**9 + ns for seconds, ns in ((stat.mtime, parts[1]), (stat.ctime, parts[2])))
        yield row.path, (stat.mode, stat.uid, stat.gid, size, mtime, ctime, stat.ino)


def changed_since(path: bytes, begun_ns: int) -> bool:
    """Whether a difference at this path may be of later than the Job's begin."""
    path = path.rstrip(b"/")
    while path:
        try:
            if os.lstat(path).st_ctime_ns >= begun_ns:
                return True
        except OSError:
            pass  # gone: the directory above has changed
        path = path.rpartition(b"/")[0]
    return False


def differences(saved: dict[bytes, Known], there: dict[bytes, Known], begun_ns: int) -> list[bytes]:
    """Paths that the Jobs have otherwise than the tree has, and that did not change since."""
    unlike = [path for path in saved.keys() | there.keys() if saved.get(path) != there.get(path)]
    return sorted(path for path in unlike if not changed_since(path, begun_ns))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--every", type=float, default=300, help="seconds from one Job to the next")
    parser.add_argument("--work", type=Path, required=True, help="for Volumes and the journal, outside of the trees")
    parser.add_argument("trees", type=Path, nargs="+")
    args = parser.parse_args()
    tops = [os.fsencode(tree.absolute()) for tree in args.trees]
    args.work.mkdir(mode=0o700, parents=True, exist_ok=True)
    conf, journal, volumes = (args.work.absolute() / name for name in ("filed.conf", "journal", "volumes"))
    lines = "".join(f'    File = "{os.fsdecode(top)}"\n' for top in tops)
    agents = build.ROOT / "filed" / "_agents"
    conf.write_text(CONF.format(agents=agents, journal=journal, volumes=volumes, lines=lines))
    conf.chmod(0o600)
    subprocess.run([*FILED, "journal", "start", "--store", journal, args.trees[0]], check=True)
    if not volumes.exists():
        subprocess.run([*FILED, "init", "-s", volumes], check=True)
    end, bad, level = time.monotonic() + args.hours * 3600, 0, "full"
    try:
        while time.monotonic() < end:
            begun, begun_ns = time.monotonic(), time.time_ns() - 20_000_000  # a tick before: times have its grain
            ran = subprocess.run(
                [*FILED, "backup", "-c", conf, "--job", "long-run", "--level", level],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            took = time.monotonic() - begun
            there = dict(what_is_there(tops))
            with Catalog.read(volumes) as catalog:
                job = [each for each in catalog.jobs() if each.good][-1]
                unlike = differences(dict(what_is_saved(catalog, job.job_id, tops)), there, begun_ns)
            bad += len(unlike)
            told = [line for line in ran.stderr.splitlines() if "journal:" in line and "memory maps" not in line]
            stamp = time.strftime("%H:%M:%S")
            print(
                f"{stamp} Job {job.job_id} {job.level} code {ran.returncode} {took:.1f} s {job.files} of {len(there)} entries,"
            )
            print(f"    {len(unlike)} differences {unlike[:5]}; {'; '.join(told)}", flush=True)
            level = "incremental"
            time.sleep(max(0.0, begun + args.every - time.monotonic()))
    finally:
        subprocess.run([*FILED, "journal", "stop", "--store", journal], check=False)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
