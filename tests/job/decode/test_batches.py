"""What goes to an agent by the page has the effects that it has record by record."""

from __future__ import annotations

import hashlib
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from filed.cli.agents import shipped_agents
from filed.errors import ConnectionLost, FiledError
from filed.job.decode.batches import LOOSE_RECORDS, Damaged, Gathering, gathered
from filed.job.decode.destination import Destination
from filed.job.decode.native_entries import LIBRARY, Native
from filed.job.decode.renaming import Renaming
from filed.job.decode.whole_entries import Kept, WholeEntries
from filed.job.description import AgentSetup, Places, RestoreJob
from filed.pipeline import Decoder, Digest
from filed.volume import Record, Session
from filed.wire.acl import pack_acl
from filed.wire.attributes import FileType, Stat, encode_stat, pack_attributes
from filed.wire.plugin_name import pack_plugin_end, pack_plugin_start
from filed.wire.stream import Stream
from filed.wire.xattr import pack_xattrs
from tests.agents.compile import compile_agent
from tests.job.conftest import new_desk
from tests.system_agents.jobs import line

CONTENT = b"some words, and more of them\n" * 20
MD5 = hashlib.md5(CONTENT).digest()
ACL = pack_acl(b"user::rw-\nuser:1:r--\ngroup::r--\nmask::r--\nother::---\n")
XATTRS = pack_xattrs([(b"user.one", b"1"), (b"user.two", b"22")])
EVERYTHING = Session(1, 17)


def head(
    index: int,
    path: bytes,
    *,
    kind: int = FileType.REGULAR,
    size: int = len(CONTENT),
    link: bytes = b"",
    data_stream: int = Stream.FILE_DATA,
) -> Kept:
    stat = encode_stat(Stat(mode=0o100644, nlink=1, size=size, mtime=1_700_000_000, data_stream=data_stream))
    return Stream.UNIX_ATTRIBUTES, index, pack_attributes(index, kind, path, stat, link, b"ns:1,2,3")


def entry(index: int, path: bytes, *rest: tuple[int, bytes], **about: object) -> list[Kept]:
    return [head(index, path, **about), *((word, index, data) for word, data in rest)]  # type: ignore[arg-type]


PLAIN = [(Stream.FILE_DATA, CONTENT), (Stream.MD5_DIGEST, MD5)]
META = [(Stream.ACL_LINUX_ACCESS, ACL), (Stream.XATTR_LINUX, XATTRS)]
BIG = b"x" * 65_536
ENTRIES: dict[str, Callable[[int], list[Kept]]] = {
    "plain": lambda n: entry(n, b"/@TRACE/plain", *PLAIN),
    "with lists": lambda n: entry(n, b"/@TRACE/lists", *META, *PLAIN),
    "compressed": lambda n: entry(
        n, b"/@TRACE/gz", (Stream.GZIP_DATA, zlib.compress(CONTENT)), (Stream.MD5_DIGEST, MD5)
    ),
    "sha256": lambda n: entry(
        n, b"/@TRACE/sha", (Stream.FILE_DATA, CONTENT), (Stream.SHA256_DIGEST, hashlib.sha256(CONTENT).digest())
    ),
    "directory": lambda n: entry(n, b"/@TRACE/d/", *META, kind=FileType.DIRECTORY, size=4096),
    "symbolic link": lambda n: entry(n, b"/@TRACE/l", kind=FileType.SYMLINK, size=0, link=b"there"),
    "hard link": lambda n: entry(n, b"/@TRACE/h", kind=FileType.HARD_LINK, link=b"/@TRACE/plain"),
    "empty": lambda n: entry(n, b"/@TRACE/empty", kind=FileType.EMPTY, size=0),
    "without a digest": lambda n: entry(n, b"/@TRACE/bare", (Stream.FILE_DATA, CONTENT)),
    "of unknown size": lambda n: entry(n, b"/@TRACE/pipe", (Stream.FILE_DATA, CONTENT), size=-1),
    "grown": lambda n: entry(n, b"/@TRACE/grown", (Stream.FILE_DATA, CONTENT), size=3),
    "without a slash": lambda n: entry(n, b"@TRACE/name", *PLAIN),
    "a record of an empty piece": lambda n: entry(n, b"/@TRACE/nothing", (Stream.FILE_DATA, b""), size=0),
    "sparse, without a hole": lambda n: entry(
        n, b"/@TRACE/sp", (Stream.SPARSE_DATA, bytes(8) + CONTENT), PLAIN[1], data_stream=Stream.SPARSE_DATA
    ),
    "sparse and compressed": lambda n: entry(
        n, b"/@TRACE/sz", (Stream.SPARSE_GZIP_DATA, bytes(8) + zlib.compress(CONTENT)), data_stream=Stream.SPARSE_DATA
    ),
    "deleted": lambda n: entry(n, b"/@TRACE/gone", kind=FileType.DELETED),
    "wrong digest": lambda n: entry(n, b"/@TRACE/bad", (Stream.FILE_DATA, CONTENT), (Stream.MD5_DIGEST, b"d" * 16)),
    "short digest": lambda n: entry(n, b"/@TRACE/bad", (Stream.FILE_DATA, CONTENT), (Stream.MD5_DIGEST, b"d" * 9)),
    "digest of a kind not known here": lambda n: entry(n, b"/@TRACE/new", PLAIN[0], (Stream.XXH3_64_DIGEST, b"d" * 8)),
    "cut short": lambda n: entry(n, b"/@TRACE/short", (Stream.FILE_DATA, CONTENT[:-1])),
    "without its data": lambda n: entry(n, b"/@TRACE/none"),
    "data behind its digest": lambda n: entry(n, b"/@TRACE/after", *PLAIN, PLAIN[0]),
    "in two pieces": lambda n: entry(
        n, b"/@TRACE/two", (Stream.FILE_DATA, CONTENT[:9]), (Stream.FILE_DATA, CONTENT[9:]), (Stream.MD5_DIGEST, MD5)
    ),
    "big": lambda n: entry(n, b"/@TRACE/big", *[(Stream.FILE_DATA, BIG)] * 3, size=3 * len(BIG)),
    "with a hole in front": lambda n: entry(
        n, b"/@TRACE/hole", (Stream.SPARSE_DATA, b"\0\0\0\0\0\1\0\0" + CONTENT), data_stream=Stream.SPARSE_DATA
    ),
    "sparse, without an address": lambda n: entry(
        n, b"/@TRACE/hole", (Stream.SPARSE_DATA, bytes(7)), data_stream=Stream.SPARSE_DATA
    ),
    "sparse, where data without holes was saved": lambda n: entry(n, b"/@TRACE/holes", (Stream.SPARSE_DATA, bytes(8) + CONTENT)),
    "damaged where compressed": lambda n: entry(n, b"/@TRACE/bad", (Stream.GZIP_DATA, zlib.compress(CONTENT)[:-3])),
    "a list that is none": lambda n: entry(n, b"/@TRACE/acl", (Stream.ACL_LINUX_ACCESS, b"what"), *PLAIN),
    "attributes that are none": lambda n: [(Stream.UNIX_ATTRIBUTES, n, b"what")],
    "a stat that is none": lambda n: [(Stream.UNIX_ATTRIBUTES, n, pack_attributes(n, 3, b"/x", b"A A"))],
    "a time beyond all times": lambda n: [
        (Stream.UNIX_ATTRIBUTES, n, pack_attributes(n, 3, b"/x", b" ".join([b"A"] * 11 + [b"P//////////"] + [b"A"] * 4)))
    ],
    "a type that nobody restores": lambda n: entry(n, b"/@TRACE/odd", kind=FileType.JUNCTION),
    "records of another entry": lambda n: [*entry(n, b"/@TRACE/first", PLAIN[0]), (Stream.MD5_DIGEST, n + 1000, MD5)],
    "a stream of another system": lambda n: entry(n, b"/@TRACE/mac", (Stream.ACL_DARWIN_ACCESS, b"?"), *PLAIN),
    "encrypted without a key": lambda n: entry(n, b"/@TRACE/pki", (Stream.ENCRYPTED_FILE_DATA, CONTENT)),
    "signed by nobody": lambda n: entry(n, b"/@TRACE/signed", *PLAIN, (Stream.SIGNED_DIGEST, b"?")),
}  # fmt: skip


def records_of(*names: str) -> list[Kept]:
    made = [record for index, name in enumerate(names, 1) for record in ENTRIES[name](index)]
    return [
        (Stream.PLUGIN_NAME, 1, pack_plugin_start(1, b"trace:2:")),
        *made,
        (Stream.PLUGIN_NAME, 1, pack_plugin_end(1)),
    ]


class Restored:
    """What a restore of these records did: calls, messages, totals, and how it ended."""

    def __init__(
        self,
        agents: Path,
        work: Path,
        records: Sequence[Kept],
        options: dict[str, str],
        *,
        by_page: bool,
        agent: str = "trace",
        native: Native | None = LIBRARY,
    ) -> None:
        trace = work / f"trace-{by_page}-{native is not None}"
        setup = AgentSetup((line(agent, trace=str(trace), **options),), (agents, shipped_agents()))
        job = RestoreJob(Places.within(work), 1, work / "to", setup)
        shutil.rmtree(work / "to", ignore_errors=True)
        self.end = ""
        with new_desk() as desk, desk.restorers(job) as restorers:
            decoder = Decoder()
            decoder.digests.saw(
                Digest
            )  # whole entries are checked by any, others by those that the Job was seen to use
            receiving = desk.receiving(decoder, restorers, job)
            receiving.begin(Renaming())
            gathering = Gathering(Destination(bytes(job.where), Renaming()), by_page=by_page, native=native)
            try:
                for batch in gathered((Record(EVERYTHING, n, word, data) for word, n, data in records), gathering):
                    receiving.take(batch)
                receiving.end()
                restorers.commit()
            except FiledError as error:
                self.end = str(error)
            self.totals, self.texts = desk.context.counters.totals, desk.texts()
        self.calls = trace.read_text().splitlines() if trace.exists() else []


FAULTS = [
    {},
    *({"fail": f"{call}:{status}"} for call in ("restore_entry", "restore_stream", "write", "restore_done")
      for status in (-1, -20, -43, 7)),
    *({"answer": str(action)} for action in (1, 2, 3, 4, 99)),
]  # fmt: skip


@pytest.mark.parametrize("options", FAULTS, ids=str)
def test_by_the_page_or_record_by_record_is_the_same(agents_dir: Path, tmp_path: Path, options: dict[str, str]) -> None:
    records = records_of(*ENTRIES)
    slowly = Restored(agents_dir, tmp_path, records, options, by_page=False)
    for native in (LIBRARY, None):
        by_page = Restored(agents_dir, tmp_path, records, options, by_page=True, native=native)
        assert by_page.calls == slowly.calls
        assert by_page.texts == slowly.texts
        assert by_page.totals == slowly.totals
        assert by_page.end == slowly.end


@pytest.mark.parametrize("by_page", [True, False])
def test_the_agent_of_plain_files_has_nobody_to_leave_a_file_to(tmp_path: Path, by_page: bool) -> None:  # noqa: FBT001
    compile_agent("trace.c", tmp_path, "plain", ['ID="plain"', 'ALIAS="filesystem"'])
    done = Restored(tmp_path, tmp_path, ENTRIES["plain"](1), {"answer": "4"}, by_page=by_page, agent="plain")
    assert "agent plain 3.1 leaves a file to the agent of plain files, which it is itself" in done.end
    assert [call.split()[0] for call in done.calls].count("restore_entry") == 1


@pytest.mark.parametrize("by_page", [True, False])
def test_content_that_the_agent_does_not_take_is_an_error_of_that_entry(
    agents_dir: Path,
    tmp_path: Path,
    by_page: bool,  # noqa: FBT001
) -> None:
    records = records_of("plain", "empty", "a record of an empty piece", "directory", "compressed")
    done = Restored(agents_dir, tmp_path, records, {"answer": "2"}, by_page=by_page)
    untaken = [
        text for text in done.texts if text.endswith("agent trace 3.1 made it without its content, which is stored")
    ]
    assert [text.partition(": ")[0].rpartition("/")[2] for text in untaken] == ["plain", "gz"]
    assert (done.totals.files, done.totals.errors) == (3, 2)
    assert [call for call in done.calls if call.startswith("restore_done")] == [
        f"restore_done {status}" for status in (-23, 0, 0, 0, -23)
    ]


def batches_of(records: Sequence[Kept]) -> list[object]:
    gathering = Gathering(Destination(b"/to", Renaming()), by_page=True)
    return list(gathered((Record(EVERYTHING, n, word, data) for word, n, data in records), gathering))


@pytest.mark.parametrize("name", list(ENTRIES)[:15])
def test_what_is_plain_goes_by_the_page(name: str) -> None:
    batches = batches_of(ENTRIES[name](1))
    assert [type(batch) for batch in batches] == [Session, WholeEntries]


@pytest.mark.parametrize("name", list(ENTRIES)[15:-3])
def test_what_is_not_goes_record_by_record(name: str) -> None:
    records = ENTRIES[name](1)
    begin, *batches = batches_of(records)
    assert begin == EVERYTHING
    if name == "records of another entry":
        return
    assert [record for batch in batches for record in batch] == records  # type: ignore[attr-defined]


def test_the_order_is_kept() -> None:
    records = records_of("plain", "big", "plain", "plain", "cut short", "plain")
    kinds = [len(batch.page) if isinstance(batch, WholeEntries) else type(batch) for batch in batches_of(records)]
    assert kinds == [Session, list, 1, list, 2, list, 1, list]


def test_damage_parts_the_entry_at_hand_from_its_like() -> None:
    gathering = Gathering(Destination(b"/to", Renaming()), by_page=True)
    for word, index, data in [*ENTRIES["plain"](1), *ENTRIES["plain"](2)[:2]]:
        gathering.record(word, index, data)
    gathering.damaged("it is damaged")
    whole, loose, mark = gathering.ready
    assert isinstance(whole, WholeEntries)
    assert len(whole.page) == 1
    assert isinstance(loose, list)
    assert [index for _, index, _ in loose] == [2, 2]
    assert mark == Damaged("it is damaged")


def test_what_came_before_records_break_off_is_not_lost() -> None:
    def broken() -> Iterator[Record]:
        for word, index, data in [*ENTRIES["plain"](1), *ENTRIES["plain"](2)[:2]]:
            yield Record(EVERYTHING, index, word, data)
        raise ConnectionLost("the Storage Daemon", "the reading of data", "it is gone")

    batches = gathered(broken(), Gathering(Destination(b"/to", Renaming()), by_page=True))
    kinds = [type(next(batches)) for _ in range(3)]
    assert kinds == [Session, WholeEntries, list]
    with pytest.raises(ConnectionLost):
        next(batches)


def test_neither_pages_nor_lists_grow_for_ever() -> None:
    batches = batches_of([record for index in range(1, 1001) for record in ENTRIES["plain"](index)])
    assert max(len(batch.page) for batch in batches if isinstance(batch, WholeEntries)) < 1000
    lost = batches_of([(Stream.FILE_DATA, 1, b"")] * 1000)
    assert max(len(batch) for batch in lost if isinstance(batch, list)) == LOOSE_RECORDS
