"""Records in, entries out to an agent: what one bad record costs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.catalog import Catalog
from filed.job.decode.receive import Receiving
from filed.job.decode.wanted import Wanted
from filed.job.description import AgentSetup, Places, RestoreJob
from filed.pipeline import Decoder, Digest, Workers
from filed.volume import Session
from filed.wire.attributes import FileType, Stat, encode_stat, pack_attributes
from filed.wire.plugin_name import pack_plugin_end, pack_plugin_start
from filed.wire.stream import Stream
from tests.catalog.model import begin, open_catalog
from tests.job.conftest import Desk
from tests.system_agents.jobs import line

COMMAND = b"trace:2:"


class Restore:
    """A restore that a test feeds record by record, into the tracing agent in this very process."""

    def __init__(self, desk: Desk, receiving: Receiving, trace: Path) -> None:
        self.desk, self.receiving, self._trace = desk, receiving, trace

    def entry(
        self, index: int, path: bytes, content: bytes | None, digest: bytes = b"", kind: int = FileType.REGULAR
    ) -> None:
        give = self.receiving.record
        size = len(content) if content is not None else 0
        give(Stream.PLUGIN_NAME, index, pack_plugin_start(index, COMMAND))
        stat = encode_stat(Stat(mode=0o100644, size=size, mtime=1_700_000_000, data_stream=Stream.FILE_DATA))
        give(Stream.UNIX_ATTRIBUTES, index, pack_attributes(index, kind, path, stat, b"", b""))
        if content:
            give(Stream.FILE_DATA, index, content)
        if digest:
            give(Stream.MD5_DIGEST, index, digest)
        give(Stream.PLUGIN_NAME, index, pack_plugin_end(index))

    def calls(self) -> list[str]:
        return self._trace.read_text().splitlines()


@pytest.fixture
def restore(desk: Desk, agents_dir: Path, tmp_path: Path) -> Iterator[Restore]:
    trace = tmp_path / "trace"
    setup = AgentSetup((line("trace", trace=str(trace)),), (agents_dir,))
    job = RestoreJob(Places.within(tmp_path), 1, Path("/w"), setup)
    with open_catalog(tmp_path) as catalog, Workers() as workers, desk.restorers(job) as restorers:
        assert isinstance(catalog, Catalog)
        decoder = Decoder(None, workers)
        decoder.digests.saw([Digest.MD5])
        receiving = desk.receiving(decoder, restorers, job)
        receiving.begin(Wanted(begin(catalog), Session(1, 1), ()))
        yield Restore(desk, receiving, trace)


def test_an_entry_goes_to_the_agent_that_saved_it(restore: Restore) -> None:
    restore.entry(1, b"/@TRACE/a", b"content", hashlib.md5(b"content").digest())
    restore.receiving.end()
    assert restore.calls()[2:] == [
        "restore_entry type=1 name=/@TRACE/a dest=/w/@TRACE/a replace=1",
        "restore_stream 0 size=7",
        "write 0+7 last content",
        "restore_done 0",
    ]
    totals = restore.desk.context.counters.totals
    assert (totals.files, totals.read_bytes, totals.errors) == (1, 7, 0)


def test_content_that_is_not_what_was_saved_is_told_to_agent_and_person(restore: Restore) -> None:
    restore.entry(1, b"/@TRACE/a", b"content", b"d" * 16)
    restore.entry(2, b"/@TRACE/b", b"good", hashlib.md5(b"good").digest())
    restore.receiving.end()
    assert [call for call in restore.calls() if call.startswith("restore_done")] == [
        "restore_done -23",
        "restore_done 0",
    ]
    (text,) = restore.desk.texts()[1:]
    assert text.startswith("/@TRACE/a: the content is not what was saved")
    assert restore.desk.context.counters.totals.errors == 1


def test_a_record_that_is_no_attributes_costs_one_entry(restore: Restore) -> None:
    restore.receiving.record(Stream.UNIX_ATTRIBUTES, 1, b"this is none")
    restore.entry(2, b"/@TRACE/b", b"good")
    restore.receiving.end()
    assert restore.calls()[-1] == "restore_done 0"
    assert restore.desk.context.counters.totals.errors == 1


def test_data_without_an_entry_is_nobodys(restore: Restore) -> None:
    restore.receiving.record(Stream.FILE_DATA, 1, b"lost")
    restore.entry(2, b"/@TRACE/b", b"good")
    restore.receiving.end()
    assert "write 0+4 last good" in restore.calls()
    assert restore.desk.context.counters.totals.errors == 0


def test_a_deleted_entry_is_not_restored(restore: Restore) -> None:
    restore.entry(1, b"/@TRACE/a", None, kind=FileType.DELETED)
    restore.entry(2, b"/@TRACE/b", b"good")
    restore.receiving.end()
    assert not any("/@TRACE/a" in call for call in restore.calls())


def test_an_empty_file_is_its_attributes(restore: Restore) -> None:
    restore.entry(1, b"/@TRACE/empty", b"", kind=FileType.EMPTY)
    restore.receiving.end()
    assert restore.calls()[-1] == "restore_done 0"
    assert restore.desk.context.counters.totals.files == 1


def test_a_name_with_a_nul_or_without_a_root_costs_no_more_than_itself(restore: Restore) -> None:
    stat = encode_stat(Stat(mode=0o140000, data_stream=Stream.FILE_DATA))
    record = pack_attributes(1, FileType.SPECIAL, b"/@TRACE/socket", stat, b"", b"")
    restore.receiving.record(Stream.UNIX_ATTRIBUTES, 1, record)
    restore.entry(2, b"/@TRACE/b", b"good")
    restore.receiving.end()
    assert any("no agent restores a file of type" in text for text in restore.desk.texts())
    assert restore.calls()[-1] == "restore_done 0"
