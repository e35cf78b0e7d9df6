"""Whatever a Storage Daemon sends, a restore changes nothing outside of `where`.

FILED_FUZZ_RESTORES=2000 tries more. A seed is named with each failure.
"""

from __future__ import annotations

import os
import random
from hashlib import md5
from pathlib import Path

import pytest

from filed.job.description import Replace
from filed.wire.attributes import FileType, Stat, encode_stat, pack_attributes
from filed.wire.stream import Stream
from tests.job.network import restore_to, run
from tests.job.storage import Kept, Storage
from tests.system.trees import survey

RESTORES = int(os.environ.get("FILED_FUZZ_RESTORES", "10"))
SEED = os.environ.get("FILED_FUZZ_SEED", str(random.randrange(1_000_000)))
PARTS = [b"a", b"b", b"link", b"..", b".", b"", b"c" * 300, b"\xff\n", b"file"]
KINDS = [
    *(FileType.REGULAR, FileType.SYMLINK, FileType.DIRECTORY, FileType.HARD_LINK) * 4,
    *(
        FileType.EMPTY,
        FileType.SPECIAL,
        FileType.FIFO_DATA,
        FileType.RAW_DEVICE,
        FileType.DELETED,
        FileType.PLUGIN_FILE,
    ),
]
MODES = {FileType.DIRECTORY: 0o40777, FileType.SYMLINK: 0o120777, FileType.SPECIAL: 0o10666}
ACL = b"user::rwx\nuser:1:rwx\ngroup::rwx\nmask::rwx\nother::rwx\n\0"
XATTR = b"\x00\x5c\x58\x84\x00\x00\x00\x06user.a\x00\x00\x00\x01x"


def records(rng: random.Random, outside: bytes) -> list[Kept]:
    """Some thirty entries, whose names and links lead to each other, and out."""

    def path() -> bytes:
        return b"/" + b"/".join(rng.choice(PARTS) for _ in range(rng.randint(1, 4)))

    def target() -> bytes:
        up = b"../" * rng.randint(1, 12)
        return rng.choice((outside, outside + b"/file", up + outside[1:], up + b"file", b"a", b"..", path(), b""))

    found: list[Kept] = []
    for index in range(1, rng.randint(5, 30)):
        kind = rng.choice(KINDS)
        content = rng.randbytes(rng.randrange(200))
        stat = Stat(
            mode=MODES.get(kind, rng.choice((0o100666, 0o104777, 0o20666, 1 << 40))),
            nlink=rng.randint(0, 3),
            uid=rng.choice((0, 1, -1)),
            size=len(content),
            mtime=rng.choice((0, 1_600_000_000, -1 << 62)),
            link_fi=rng.randrange(index),
            data_stream=2,
        )
        link = target() if kind in (FileType.SYMLINK, FileType.HARD_LINK) else b""
        name = rng.choice((path(), path(), b"/.." * rng.randint(1, 12) + outside, outside))
        stream = Stream.UNIX_ATTRIBUTES if rng.random() < 0.8 else Stream.UNIX_ATTRIBUTE_UPDATE
        if stream == Stream.UNIX_ATTRIBUTE_UPDATE and rng.random() < 0.5:  # of the file outside, by a way up
            name, kind, stat = b"/.." * rng.randint(1, 12) + outside + b"/file", FileType.REGULAR, stat._replace(size=4)
        found.append((index, stream, pack_attributes(index, kind, name, encode_stat(stat), link)))
        if rng.random() < 0.7:
            found.append((index, rng.choice((Stream.FILE_DATA, Stream.SPARSE_DATA, Stream.GZIP_DATA)), content))
        if rng.random() < 0.3:
            found.append((index, rng.choice((Stream.ACL_LINUX_ACCESS, Stream.ACL_LINUX_DEFAULT)), ACL))
        if rng.random() < 0.3:
            found.append((index, Stream.XATTR_LINUX, XATTR))
        if rng.random() < 0.5:
            found.append((index, Stream.MD5_DIGEST, md5(content, usedforsecurity=False).digest()))
    if rng.random() < 0.3:
        at = rng.randrange(len(found))
        index, stream, data = found[at]
        found[at] = (
            rng.randrange(3),
            stream ^ (1 << rng.randrange(11)),
            bytes(byte ^ (rng.random() < 0.05) for byte in data),
        )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("replace", [Replace.ALWAYS, Replace.NEVER])
def test_whatever_is_sent_nothing_outside_changes(tmp_path: Path, replace: Replace) -> None:
    outside = tmp_path / "outside"
    (outside / "a").mkdir(parents=True)
    for name in ("file", "a/file", "b"):
        (outside / name).write_bytes(b"ours")
    before = survey(outside)
    for number in range(RESTORES):
        words = f"FILED_FUZZ_SEED={SEED}: restore {number}"
        rng = random.Random(f"{SEED} {number}")
        work, where = tmp_path / f"work{number}", tmp_path / f"where{number}"
        work.mkdir()
        with Storage() as storage:
            storage.records = records(rng, os.fsencode(outside))
            done = run(restore_to(where, work, storage.port, replace=replace), [{"event": "done"}])
        assert "internal error" not in done.outcome.text, f"{words}: {done.outcome.text}"
        assert survey(outside) == before, f"{words}: {done.messages}"
        there = {path.name for path in tmp_path.iterdir()}
        assert there <= {"outside", work.name, where.name}, words
        assert list(work.iterdir()) == [], words
        for path in (where, work):
            os.system(f"rm -rf --one-file-system '{path}'")
