"""Do Debian's own programs take our Volumes for theirs?"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.storage import JobIdentity, JobMedia, JobTotals, VolumeDirectory
from filed.volume import Damage, Session, open_volume
from filed.wire.attributes import FileType, Stat, encode_stat, pack_attributes
from filed.wire.stream import Stream
from tests.live.bacula import Bacula
from tests.storage.jobs import block_begun

pytestmark = pytest.mark.live

CHUNK = 65536


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files of all sizes around a chunk and a block, a link of each kind, an odd name, directories with odd modes."""
    top = tmp_path / "tree"
    (top / "sub" / "empty").mkdir(parents=True)
    for size in (0, 1, 4096, 64475, 64476, 64477, 65536, 65537, 300_000):
        (top / f"size{size}").write_bytes(os.urandom(size))
    (top / "sub" / "n\u00e4me with blanks").write_text("text\n")
    os.link(top / "size4096", top / "sub" / "hard")
    (top / "sub" / "soft").symlink_to("../size1")
    (top / "size1").chmod(0o4711)
    (top / "sub" / "empty").chmod(0o1777)
    for number, path in enumerate(sorted(top.rglob("*"), reverse=True)):
        os.utime(path, (1_000_000_000, 1_100_000_000 + number), follow_symlinks=False)
    return top


@pytest.fixture
def bacula(tmp_path: Path) -> Iterator[Bacula]:
    with Bacula(tmp_path, volumes=tmp_path / "volumes") as network:
        network.write_confs()
        yield network


def volumes_of(bacula: Bacula) -> VolumeDirectory:
    """Its clock is behind: bscan takes a session (1, the second it was started in) for its own."""
    return VolumeDirectory.open(bacula.volumes, clock=lambda: 1_795_000_000.5)


def manifest(top: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(top.rglob("*")):
        about = path.lstat()
        content: object = b""
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        times = 0 if path.is_symlink() else int(about.st_mtime)
        found[str(path.relative_to(top))] = (stat.filemode(about.st_mode), about.st_uid, about.st_nlink, times, content)
    return found


def save(directory: VolumeDirectory, top: Path, job_id: int = 1, limit: int = 0) -> tuple[Session, list[JobMedia]]:
    """What a Full of `top` writes: directories behind their contents, as a real File Daemon does."""
    identity = JobIdentity(
        job_id, f"Save.2026-11-23_10.25.18_{job_id:02}", "Save", "t-fd", "All", file_set_digest="A" * 22
    )
    target = directory.append_session(identity, limit)
    links: dict[tuple[int, int], tuple[int, bytes]] = {}
    index = size = 0
    for path in [*sorted(top.rglob("*"), reverse=True), top]:
        about = path.lstat()
        index += 1
        name, link, kind, data_stream = os.fsencode(path), b"", FileType.REGULAR, 0
        first = links.get((about.st_dev, about.st_ino))
        if path.is_symlink():
            kind, link = FileType.SYMLINK, os.fsencode(os.readlink(path))
        elif path.is_dir():
            kind, name = FileType.DIRECTORY, name + b"/"
        elif first:
            kind, link = FileType.HARD_LINK, first[1]
        else:
            kind = FileType.REGULAR if about.st_size else FileType.EMPTY
            data_stream = Stream.FILE_DATA
            if about.st_nlink > 1:
                links[about.st_dev, about.st_ino] = index, name
        numbers = Stat(
            about.st_dev, about.st_ino, about.st_mode, about.st_nlink, about.st_uid, about.st_gid, about.st_rdev,
            about.st_size, about.st_blksize, about.st_blocks, int(about.st_atime), int(about.st_mtime), int(about.st_ctime),
            first[0] if first else 0, 0, data_stream,
        )  # fmt: skip
        target.write(index, Stream.UNIX_ATTRIBUTES, pack_attributes(index, kind, name, encode_stat(numbers), link))
        if data_stream:
            content = path.read_bytes()
            for at in range(0, len(content), CHUNK):
                target.write(index, Stream.FILE_DATA, memoryview(content)[at : at + CHUNK])
            size += len(content)
            target.write(index, Stream.MD5_DIGEST, hashlib.md5(content).digest())
    return target.session, target.finish(JobTotals(index, size))


def test_bls_lists_our_labels_and_files(bacula: Bacula, tree: Path) -> None:
    save(volumes_of(bacula), tree)
    jobs = bacula.bls("Vol-0001", "-j")
    assert "Begin Job Session Record" in jobs
    assert "End Job Session Record" in jobs
    assert "Job=Save.2026-11-23_10.25.18_01" in jobs
    files = bacula.bls("Vol-0001")
    assert files.count(str(tree)) >= len(list(tree.rglob("*"))) + 1
    assert "ERR" not in files.upper().replace("ERRORS=0", "")
    labels = bacula.bls("Vol-0001", "-L", "-v")
    assert "Vol-0001" in labels
    blocks = bacula.bls("Vol-0001", "-k", "-v")
    with open_volume(bacula.volumes / "Vol-0001") as reader:
        ours = [f"Addr={at + header.length} blk_num={header.number}" for at, header in reader.walk.headers()]
    assert re.findall(r"Addr=\d+ blk_num=\d+", blocks) == ours


@pytest.mark.parametrize("limit", [0, 200_000])
def test_bextract_restores_our_volumes(bacula: Bacula, tree: Path, tmp_path: Path, limit: int) -> None:
    _, media = save(volumes_of(bacula), tree, limit=limit)
    assert (len(media) > 1) == bool(limit)
    out = tmp_path / "out"
    said = bacula.bextract("|".join(part.volume for part in media), out)
    assert manifest(out / tree.relative_to("/")) == manifest(tree)
    assert f"{len(list(tree.rglob('*'))) + 1} files restored" in said


def test_bextract_restores_the_second_job_of_a_volume(bacula: Bacula, tree: Path, tmp_path: Path) -> None:
    directory = volumes_of(bacula)
    save(directory, tree)
    (tree / "size4096").write_bytes(b"changed")
    _, media = save(directory, tree, job_id=2)
    assert media[0].volume == "Vol-0001"
    bacula.bextract("Vol-0001", tmp_path / "out")
    assert manifest(tmp_path / "out" / tree.relative_to("/")) == manifest(tree)


def test_bextract_copes_with_any_room_left_in_a_block(bacula: Bacula, tmp_path: Path) -> None:
    directory = volumes_of(bacula)
    contents: dict[str, bytes] = {}
    for room in range(16):
        identity = JobIdentity(room, f"Room.{room:02}", "Room", "t-fd", "All")
        target = directory.append_session(identity)
        for index, size in ((1, 64_000), (2, 100)):
            name = f"/rooms/{room:02}.{index}"
            lstat = encode_stat(Stat(1, index, 0o100644, 1, 0, 0, 0, size, 4096, 8, 1, 1, 1, 0, 0, Stream.FILE_DATA))
            attributes = pack_attributes(index, FileType.REGULAR, name.encode(), lstat)
            target.write(index, Stream.UNIX_ATTRIBUTES, attributes)
            if index == 1:
                size = 64_512 - block_begun(identity) - 12 - len(attributes) - 12 - room  # noqa: PLW2901 - known only now
            contents[name] = os.urandom(size)
            target.write(index, Stream.FILE_DATA, contents[name])
        target.finish(JobTotals(2, size))
    bacula.bextract("Vol-0001", tmp_path / "out")
    for name, content in contents.items():
        assert (tmp_path / "out" / name[1:]).read_bytes() == content


def test_bscan_brings_our_jobs_into_a_catalog(bacula: Bacula, tree: Path) -> None:
    directory = volumes_of(bacula)
    save(directory, tree, limit=200_000)
    names = directory.volumes()
    catalog = bacula.make_catalog()
    said = bacula.bscan("|".join(names), "-s", "-m", "-v")
    with sqlite3.connect(catalog) as database:
        (files,) = database.execute("SELECT count(*) FROM File").fetchone()
        job = database.execute("SELECT Name, Level, JobStatus, JobFiles FROM Job").fetchone()
        media = {name for (name,) in database.execute("SELECT VolumeName FROM Media")}
    database.close()
    count = len(list(tree.rglob("*"))) + 1
    assert files == count, said
    assert job == ("Save", "F", "T", count)
    assert media == set(names)


def test_a_real_storage_daemon_appends_after_us_and_we_after_it(bacula: Bacula, tree: Path, tmp_path: Path) -> None:
    directory = volumes_of(bacula)
    session, media = save(directory, tree)
    ours = [(one.file_index, one.stream, bytes(one.data)) for one in directory.read(media, session).records()]
    catalog = bacula.make_catalog()
    bacula.bscan("Vol-0001", "-s", "-m")
    size = (bacula.volumes / "Vol-0001").stat().st_size
    with sqlite3.connect(catalog) as database:
        database.execute("UPDATE Media SET VolStatus = 'Append', VolBytes = ?", (size,))
    database.close()
    bacula.write_confs(
        file_sets=f'FileSet {{ Name = Tree; Include {{ Options {{ signature = MD5 }} File = "{tree}" }} }}',
        jobs="Job { Name = Theirs; JobDefs = Common; FileSet = Tree }",
    )
    bacula.start("sd", "fd", "dir")
    bacula.console("run job=Theirs yes", "wait", "messages")
    bacula.expect("Backup OK")

    # A restore of our own Job through Director, Storage Daemon and File Daemon.
    bacula.console("restore jobid=1 all done yes", "wait", "messages")
    bacula.expect("Restore OK")
    assert manifest(bacula.root / "restored" / tree.relative_to("/")) == manifest(tree)
    bacula.stop("fd", "sd", "dir")

    assert [(one.file_index, one.stream, bytes(one.data)) for one in directory.read(media, session).records()] == ours
    second_session, second = save(directory, tree, job_id=3)
    assert [part.volume for part in second] == ["Vol-0001"]
    assert second[0].start > media[0].end + 1
    found = directory.scan()
    assert len(found) == 3
    assert all(one.is_complete for one in found)
    theirs = next(one for one in found if one.session not in (session, second_session))
    assert theirs.label is not None
    assert theirs.label.name == "Theirs"
    records = list(directory.read(theirs.media, theirs.session).records())
    assert len({one.file_index for one in records}) == len(list(tree.rglob("*"))) + 1
    bacula.bextract("Vol-0001", tmp_path / "out")
    assert manifest(tmp_path / "out" / tree.relative_to("/")) == manifest(tree)


def test_our_reader_and_bls_agree_on_a_damaged_volume(bacula: Bacula, tree: Path) -> None:
    save(volumes_of(bacula), tree)
    path = bacula.volumes / "Vol-0001"
    data = bytearray(path.read_bytes())
    data[100_000] ^= 1
    path.write_bytes(data)
    said = bacula.bls("Vol-0001", "-p")
    told: list[Damage] = []
    with open_volume(path, on_damage=told.append) as reader:
        list(reader.records())
    assert len([damage for damage in told if damage.length]) == 1
    assert "checksum mismatch" in said.lower()
