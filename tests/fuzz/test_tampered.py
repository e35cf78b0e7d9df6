"""Volumes that somebody changed by chance, against restore, verify and rebuild, with keys and without.

Whatever is done: no restore of a signed Job, and none that a catalog of ours is there for, says that all is well and brings back anything else than what
was saved; nothing outside of `where` changes; no record takes memory without bound.

FILED_FUZZ_TAMPERED=5000 tries more. A seed is named with each failure.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest

from filed.catalog import CATALOG_FILE, Level
from filed.cli.agents import shipped_agents
from filed.errors import FiledError
from filed.fileset import Compression, CompressionKind, FileSet, Include, Options, Signature
from filed.job.description import AgentLine, AgentSetup, BackupJob, KeyFiles, Places, RestoreJob, VerifyJob
from filed.job.rebuild import rebuild_catalog
from filed.process.outcome import JobStatus
from tests.fuzz.tampered import changed, sessions, tell_where, write
from tests.system.trees import Directory, File, HardLink, Survey, Symlink, differences, plant, survey
from tests.system_agents.jobs import Place, Ran
from tests.vector_keys import KEYS

TRIES = int(os.environ.get("FILED_FUZZ_TAMPERED", "4"))  # of each kind of storage
SEED = os.environ.get("FILED_FUZZ_SEED", str(random.randrange(1_000_000)))
SETUP = AgentSetup((AgentLine("filesystem"),), (shipped_agents(),))
PAIR = KEYS / "TEST-ONLY-client.pem"
KINDS = {"encrypted": KeyFiles(PAIR), "signed": KeyFiles(PAIR, encrypt=False), "plain": None}
NOT_COMPARED = frozenset({"allocated"})
MAX_BYTES = 250 << 20  # of a process, beside what it had of ours when it began
LARGEST_BYTES = 1 << 20  # of a file in the tree


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def tree() -> Directory:
    files: dict[bytes, File] = {
        b"file %d" % size: File(noise(size)) for size in (1, 100, 3000, 65_536, 70_001, 200_000)
    }
    more = {b"holes": File(pieces=((0, noise(5000)), (300_000, noise(10))))}
    below = Directory(
        mode=0o750, entries={b"inner": File(b"inner content", mode=0o640, mtime_ns=1_700_000_000_123_456_789)}
    )
    links = {b"link": Symlink(b"file 1"), b"twin": HardLink(b"file 3000"), b"d": below}
    return Directory(mode=0o755, entries={**files, **more, **links})


@dataclass
class Saved:
    """A Full and an Incremental of a tree. good: what a restore of it gives. contents: digests of all that was ever saved."""

    volumes: Path
    keys: KeyFiles | None
    root: Path
    jobid: int
    good: Survey
    contents: set[str]


@pytest.fixture(scope="module", params=KINDS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    keys = KINDS[request.param]
    place = tmp_path_factory.mktemp(request.param)
    root, volumes = plant(place / "tree", tree()), place / "volumes"
    compression = None if request.param == "signed" else Compression(CompressionKind.GZIP, 1)
    options = Options(signature=Signature.SHA256, compression=compression, sparse=keys is None)
    fileset = FileSet((Include((options,), (os.fsencode(root),)),), name="T")
    contents: set[str] = set()
    for level in (Level.FULL, Level.INCREMENTAL):
        done = Place(volumes, SETUP.directories).run(
            BackupJob(Places.within(volumes), "J", "c", level, fileset, SETUP, keys=keys)
        )
        assert done.outcome.status is JobStatus.OK, done.messages
        good = survey(root)
        contents |= {known.content for known in good.values()}
        (root / "file 3000").write_bytes(b"a later version")
        (root / "d" / "new").write_bytes(noise(1234))
        (root / "file 100").unlink(missing_ok=True)
    return Saved(volumes, keys, root, done.outcome.jobid, good, contents)


@pytest.mark.slow
def test_whatever_is_done_to_a_volume_nothing_else_passes_for_what_was_saved(saved: Saved, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"ours")
    before = survey(outside)
    for number in range(TRIES):
        rng = random.Random(f"{SEED} {saved.volumes.parent.name} {number}")
        place = tmp_path / f"try{number}"
        shutil.copytree(saved.volumes, place)
        runs = sessions(place / "Vol-0001")
        done = changed(runs, rng, os.fsencode(outside))
        places = write(place / "Vol-0001", runs)
        tell_where(place / CATALOG_FILE, places)
        words = f"FILED_FUZZ_SEED={SEED}: try {number}: {', '.join(done)}"
        try:
            with_catalog(saved, place, words)
            with_a_new_catalog(saved, place, words)
        except FiledError as error:
            raise AssertionError(f"{words}: {error}") from error
        assert survey(outside) == before, words
        assert {path.name for path in tmp_path.iterdir()} == {"outside", place.name, f"{place.name}.trace"} - {
            name for name in (f"{place.name}.trace",) if not (tmp_path / name).exists()
        }, words
        os.system(f"rm -rf --one-file-system '{place}'")
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10 < (ours << 10) + MAX_BYTES


def with_catalog(saved: Saved, place: Path, words: str) -> None:
    """The catalog is as it was."""
    found, restored = restore(saved, place, saved.jobid, words)
    wrong = differences(saved.good, found, but=NOT_COMPARED)
    if restored.outcome.status.good:
        assert not wrong, f"{words}: {wrong}"
    assert_only_saved(saved, found, words, by_path=True)
    jobids = tuple(range(1, saved.jobid + 1))
    verified = run(place, VerifyJob(Places.within(place), jobids, SETUP, keys=saved.keys), words)
    if verified.outcome.status.good:
        assert restored.outcome.status.good, f"{words}: {restored.messages}"


def with_a_new_catalog(saved: Saved, place: Path, words: str) -> None:
    """The catalog is made from the Volumes: only signatures can tell."""
    rebuild_catalog(place, lambda _text: None)
    with sqlite3.connect(place / CATALOG_FILE) as catalog:
        jobs = [job for (job,) in catalog.execute("SELECT job_id FROM job WHERE status IN ('T', 'W')")]
    catalog.close()
    for job in jobs[-1:]:
        found, _ = restore(saved, place, job, words)
        if saved.keys is not None:
            assert_only_saved(saved, found, words, by_path=False)


def restore(saved: Saved, place: Path, jobid: int, words: str) -> tuple[Survey, Ran]:
    """What then stands where the tree belongs, and how the restore went."""
    where = place / "where"
    shutil.rmtree(where, ignore_errors=True)
    ran = run(place, RestoreJob(Places.within(place), jobid, where, SETUP, keys=saved.keys), words)
    root = where / saved.root.relative_to("/")
    return survey(root) if root.is_dir() and not root.is_symlink() else {}, ran


def run(place: Path, job: RestoreJob | VerifyJob, words: str) -> Ran:
    try:
        ran = Place(place, SETUP.directories).run(job)
    except FiledError as error:
        raise AssertionError(f"{words}: {error}") from error
    assert "internal error" not in ran.outcome.text, f"{words}: {ran.outcome.text}"
    return ran


def assert_only_saved(saved: Saved, found: Survey, words: str, *, by_path: bool) -> None:
    """No file that looks whole holds anything but what was saved: under its own name, or at least under some name."""
    for path, known in found.items():
        if known.kind != "file" or path.endswith(b".corrupt"):
            continue
        if by_path:
            good = saved.good.get(path)
            assert good is not None, f"{words}: {path!r} was never saved"
            assert known.content == good.content, f"{words}: {path!r} has other content"
        else:
            assert known.content in saved.contents, f"{words}: nobody signed what {path!r} holds"
