"""Records that no backup of ours would write: restore and verify think the same of them, and neither loses the next file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from filed.cli.agents import shipped_agents
from filed.job.description import AgentLine, AgentSetup, Places, Replace, RestoreJob, VerifyJob
from filed.process.outcome import JobStatus, Severity
from filed.wire.attributes import FileType
from filed.wire.plugin_name import pack_plugin_end, pack_plugin_start
from filed.wire.stream import Stream
from tests.job.forged import Record, attributes, digest, file, forge
from tests.system_agents.jobs import Place, Ran

CONTENT = b"some content, and more of it\n" * 9
SETUP = AgentSetup((AgentLine("filesystem"),), (shipped_agents(),))
HEAD, DATA, PROOF = file(1, b"/a", CONTENT)
NEXT = file(9, b"/next", b"next")
STRANGE = (1, 1234, b"what a later release adds")
OF_ANOTHER = [(2, Stream.FILE_DATA, b"of another"), digest(2, b"of another")]


def run(jobs: Place, where: Path, records: list[Record], replace: Replace = Replace.ALWAYS) -> tuple[Ran, Ran]:
    """A Job of these records, verified and restored."""
    jobid = forge(jobs.volumes, records)
    verified = jobs.run(VerifyJob(Places.within(jobs.volumes), (jobid,), SETUP))
    return verified, jobs.run(RestoreJob(Places.within(jobs.volumes), jobid, where, SETUP, replace=replace))


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "where"


def names(where: Path) -> set[str]:
    return {path.relative_to(where).as_posix() for path in where.rglob("*") if not path.is_dir()}


# -- what is good all the same ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([HEAD, DATA, PROOF], id="a file as it should be"),
        pytest.param([HEAD, STRANGE, DATA, STRANGE, PROOF, STRANGE], id="streams that nobody knows"),
        pytest.param([HEAD, DATA, *OF_ANOTHER], id="records whose attributes are lost"),
        pytest.param([*OF_ANOTHER[:1], HEAD, DATA, PROOF], id="records ahead of the first attributes"),
        pytest.param(
            [HEAD, (1, Stream.FILE_DATA, CONTENT[:7]), (1, Stream.FILE_DATA, CONTENT[7:]), PROOF], id="pieces"
        ),
        pytest.param([HEAD, DATA, (1, Stream.FILE_DATA, b""), PROOF], id="a piece of nothing"),
    ],
)
def test_a_file_is_whole_and_so_is_the_next(jobs: Place, where: Path, records: list[Record]) -> None:
    verified, restored = run(jobs, where, sorted([*records, *NEXT], key=lambda record: record[0] == 9))
    assert verified.outcome.status is JobStatus.OK, verified.messages
    assert restored.outcome.status is JobStatus.OK, restored.messages
    assert names(where) == {"a", "next"}
    assert (where / "a").read_bytes() == CONTENT
    assert (where / "next").read_bytes() == b"next"
    assert restored.outcome.totals.read_bytes == verified.outcome.totals.read_bytes == len(CONTENT) + 4
    stat = (where / "a").stat()
    assert (stat.st_mode & 0o7777, stat.st_mtime) == (0o644, 1_700_000_000)


# -- what is not --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bad:
    """One file that is wrong, and what is said of it behind its name."""

    records: list[Record]
    says: str
    path: bytes = b"/a"


BAD = {
    "other content": Bad(
        [HEAD, (1, Stream.FILE_DATA, CONTENT[:-1] + b"?"), PROOF], "the content is not what was saved (stream 3, FileIndex 1)"
    ),
    "cut short": Bad([HEAD, (1, Stream.FILE_DATA, CONTENT[:-1])], "260 bytes are stored of 261 (stream 2, FileIndex 1)"),
    "no data at all": Bad([HEAD], "0 bytes are stored of 261"),
    "a digest and no data": Bad([HEAD, PROOF], "the content is not what was saved"),
    "no zlib": Bad([HEAD, (1, Stream.GZIP_DATA, b"this is no zlib"), PROOF], ""),
    "a compressed header cut off": Bad([HEAD, (1, Stream.COMPRESSED_DATA, b"LZ4"), PROOF], ""),
    "an address cut off": Bad([HEAD, (1, Stream.SPARSE_DATA, b"\0\0\0"), PROOF], ""),
    "a digest of another length": Bad([HEAD, DATA, (1, Stream.MD5_DIGEST, b"short")], "a digest of 5 bytes"),
    "a signature that is none": Bad([HEAD, DATA, (1, Stream.SIGNED_DIGEST, b"no DER")], ""),
    "a key that is none": Bad(
        [HEAD, (1, Stream.ENCRYPTED_SESSION_DATA, b"no DER"), (1, Stream.ENCRYPTED_FILE_DATA, b"x" * 32), PROOF], ""
    ),
    "a name with a newline": Bad(
        [attributes(1, b"/two\nlines", size=5)], "0 bytes are stored of 5", b"/two\nlines"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_wrong_is_told_once_and_does_not_look_whole(jobs: Place, where: Path, name: str) -> None:
    bad = BAD[name]
    verified, restored = run(jobs, where, [*bad.records, *NEXT])
    shown = bad.path.decode().replace("\n", "\\n")
    for ran in (verified, restored):
        assert ran.outcome.status is JobStatus.ERROR
        (said,) = ran.texts(Severity.ERROR)
        assert said.startswith(f"{shown}: {bad.says}")
        assert ran.outcome.totals.errors == 1
    assert bad.path[1:].decode() not in names(where)
    assert (where / "next").read_bytes() == b"next"


@pytest.mark.parametrize("stream", [Stream.ACL_LINUX_ACCESS, Stream.ACL_LINUX_DEFAULT, Stream.XATTR_LINUX])
def test_metadata_that_is_none_is_told(jobs: Place, where: Path, stream: Stream) -> None:
    for ran in run(jobs, where, [HEAD, DATA, (1, stream, b"\xff nonsense"), PROOF, *NEXT]):
        assert ran.outcome.status is JobStatus.ERROR
        (said,) = ran.texts(Severity.ERROR)
        assert said.startswith("/a: ")
    assert (where / "next").read_bytes() == b"next"


@pytest.mark.parametrize("kind", [FileType.DIRECTORY, FileType.SYMLINK])
def test_content_of_an_entry_that_has_none_is_told(jobs: Place, where: Path, kind: FileType) -> None:
    head = attributes(1, b"/a", kind, link=b"x" if kind == FileType.SYMLINK else b"")
    for ran in run(jobs, where, [head, DATA, *NEXT]):
        assert ran.outcome.status is JobStatus.ERROR, ran.messages
        assert [text for text in ran.texts(Severity.ERROR) if text.partition(":")[0].endswith("/a")]


# -- what only a restore is about ---------------------------------------------------------------------------------


def test_a_hard_link_is_made_to_the_name_below_where(jobs: Place, where: Path) -> None:
    first = attributes(1, b"/d/first", size=len(CONTENT), nlink=2)
    link = attributes(2, b"/e/second", FileType.HARD_LINK, link=b"/d/first", first=1, nlink=2)
    _, restored = run(jobs, where, [first, *file(1, b"/d/first", CONTENT)[1:], link])
    assert restored.outcome.status is JobStatus.OK, restored.messages
    assert (where / "e/second").samefile(where / "d/first")


def test_a_symbolic_link_keeps_its_target_as_it_was(jobs: Place, where: Path) -> None:
    run(jobs, where, [attributes(1, b"/l", FileType.SYMLINK, link=b"/etc/../nowhere")])
    assert (where / "l").readlink() == Path("/etc/../nowhere")


def test_a_fifo_comes_back_as_one(jobs: Place, where: Path) -> None:
    run(jobs, where, [attributes(1, b"/fifo", FileType.SPECIAL)])
    assert (where / "fifo").is_fifo()


def test_nothing_is_written_outside_of_where(jobs: Place, where: Path) -> None:
    _, restored = run(jobs, where, [*file(1, b"/../../escaped", CONTENT), *NEXT])
    assert not restored.outcome.status.good
    assert not (where.parent / "escaped").exists()
    assert not (where.parent.parent / "escaped").exists()
    assert not (where / "escaped").exists()


def test_what_is_there_already_is_skipped_and_counted(jobs: Place, where: Path) -> None:
    where.mkdir()
    (where / "a").write_text("mine")
    _, restored = run(jobs, where, [HEAD, DATA, PROOF, *NEXT], Replace.NEVER)
    assert ((where / "a").read_bytes(), (where / "next").read_bytes()) == (b"mine", b"next")
    assert (restored.outcome.totals.skipped, restored.outcome.totals.files) == (1, 1)


def test_entries_of_an_agent_that_is_not_here_are_refused_with_its_name(jobs: Place, where: Path) -> None:
    start = (1, Stream.PLUGIN_NAME, pack_plugin_start(1, b"exchange:0:"))
    end = (1, Stream.PLUGIN_NAME, pack_plugin_end(1))
    verified, restored = run(jobs, where, [start, HEAD, DATA, PROOF, end])
    assert verified.outcome.status is JobStatus.OK
    assert not restored.outcome.status.good
    told = " ".join([*restored.texts(), restored.outcome.text])
    assert "agent exchange" in told
    assert "the conf has no plugin line for it" in told


def test_a_plugin_name_that_is_none_is_told_and_the_rest_comes_back(jobs: Place, where: Path) -> None:
    _, restored = run(jobs, where, [(1, Stream.PLUGIN_NAME, b"nonsense"), HEAD, DATA, PROOF])
    assert (where / "a").read_bytes() == CONTENT
    (said,) = restored.texts(Severity.ERROR)
    assert said.startswith("FileIndex 1: not a plugin name")


# -- what only a verify is about ----------------------------------------------------------------------------------


def test_the_disk_cannot_be_held_against_a_job_whose_fileset_nobody_knows(jobs: Place) -> None:
    jobid = forge(jobs.volumes, [HEAD, DATA, PROOF])
    ran = jobs.run(VerifyJob(Places.within(jobs.volumes), (jobid,), SETUP, disk=True))
    assert not ran.outcome.status.good
    assert (
        ran.outcome.text == "JobId 1 came from another File Daemon: its FileSet is not known; verify its Volumes only"
    )
