"""Whole entries by the page. What sins of agents come to: test_sins_contract.py; that it is as one by one: tests/job/decode/test_batches.py."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.agents import (
    BY_PAGE,
    AgentStream,
    Entry,
    EntryType,
    Has,
    Kind,
    Library,
    Outcome,
    Replace,
    Severity,
    WholePage,
    WholeStream,
)
from filed.agents.callbacks import Callbacks
from filed.agents.restore_loop import PAGE_BYTES, PAGE_ENTRIES, Handed
from filed.errors import AgentError, JobCanceled, LocalProtocolError
from filed.process.status_page import CALL_WORD, PROGRESS_WORD
from tests.agents.test_agent_job import Running

COOKIE = Entry._fields.index("cookie")


def add(
    page: WholePage, name: bytes, content: bytes | None, where: bytes = b"/w", link: bytes = b"", **about: int
) -> None:
    entry = Entry(type=EntryType.REGULAR, **about) if content is not None else Entry(**about)
    streams = [WholeStream(AgentStream.DATA, len(content), content)] if content is not None else []
    page.add(entry[COOKIE:], name, link, where + name, streams)


@pytest.fixture
def restoring(good: Library) -> Iterator[Running]:
    with Running(good, Kind.RESTORE) as running:
        yield running


def test_the_library_is_there() -> None:
    assert BY_PAGE


def test_a_page_reaches_the_agent_byte_for_byte(restoring: Running) -> None:
    page, contents = WholePage(), [bytes(range(256)) * count + b"tail"[:count] for count in range(9)]
    for number, content in enumerate(contents):
        add(page, b"/@GOOD/%d" % number, content)
    before = restoring.status_page.words[PROGRESS_WORD]
    assert list(restoring.job.restore_page(page, Replace.ALWAYS)) == []
    assert restoring.job.handed == Handed(9, 0, sum(map(len, contents)))
    sums = [sum((i + 1) * byte for i, byte in enumerate(content)) & 0xFFFF_FFFF for content in contents]
    assert restoring.services.messages == [
        (Severity.DEBUG, f"restored /w/@GOOD/{number}: {len(content)} bytes, sum {total}, status 0")
        for number, (content, total) in enumerate(zip(contents, sums, strict=True))
    ]
    assert restoring.status_page.words[CALL_WORD] == 0
    assert restoring.status_page.words[PROGRESS_WORD] - before >= 4 * 9
    assert restoring.status_page.entry == b"/w/@GOOD/8"


def test_names_links_and_attributes_come_along(good: Library, tmp_path: Path) -> None:
    running = Running(good, Kind.RESTORE, restore="disk")
    page, where = WholePage(), bytes(tmp_path)
    valid = int(Has.MODE | Has.MTIME)
    add(page, b"/d/a", b"start", where, mode=0o640, mtime=1600000000, mtime_ns=5, valid=valid)
    add(page, b"/d/link", None, where, link=b"a", type=EntryType.SYMLINK)
    assert list(running.job.restore_page(page, Replace.ALWAYS)) == []
    again = WholePage()
    add(again, b"/d/a", b"other", where)
    assert list(running.job.restore_page(again, Replace.NEVER)) == []
    assert running.job.handed == Handed(2, 1, 5)
    running.job.commit()
    running.job.end(Outcome.DONE)
    restored = tmp_path / "d" / "a"
    assert restored.read_bytes() == b"start"
    assert restored.stat().st_mtime_ns == 1600000000 * 10**9 + 5
    assert (tmp_path / "d" / "link").readlink() == Path("a")


def test_small_streams_follow_the_data(restoring: Running) -> None:
    page = WholePage()
    fields = Entry(type=EntryType.REGULAR)[COOKIE:]
    value = struct.pack("=I", 1) + b"nv"
    page.add(
        fields,
        b"/@GOOD/a",
        b"",
        b"/w/a",
        [WholeStream(AgentStream.DATA, None, b"abc"), WholeStream(AgentStream.XATTR, 6, value)],
    )
    assert list(restoring.job.restore_page(page, Replace.ALWAYS)) == []
    assert restoring.job.handed == Handed(1, 0, 3)


def test_a_part_of_a_page_may_be_asked_for(restoring: Running) -> None:
    page = WholePage()
    for number in range(4):
        add(page, b"/@GOOD/%d" % number, b"x")
    assert list(restoring.job.restore_page(page, Replace.ALWAYS, 1, 3)) == []
    assert [text.split(":")[0] for text in restoring.services.texts] == ["restored /w/@GOOD/1", "restored /w/@GOOD/2"]


def test_a_cancel_stops_a_page(restoring: Running) -> None:
    page = WholePage()
    for number in range(4):
        add(page, b"/@GOOD/%d" % number, b"x")
    restoring.status_page.ask_cancel()
    with pytest.raises(JobCanceled, match="canceled during restore_entry"):
        list(restoring.job.restore_page(page, Replace.ALWAYS))
    assert restoring.job.handed.restored == 0


def test_a_fault_of_a_callback_stops_the_page_where_it_happened(
    restoring: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object) -> None:
        raise ValueError("our bug")

    page = WholePage()
    for number in range(4):
        add(page, b"/@GOOD/%d" % number, b"x")
    monkeypatch.setattr(restoring.services, "message", faulty)
    with pytest.raises(AgentError, match="own callback message failed: ValueError: our bug"):
        list(restoring.job.restore_page(page, Replace.ALWAYS))
    assert restoring.status_page.entry == b"/w/@GOOD/0"


def test_no_page_in_the_midst_of_an_entry(restoring: Running) -> None:
    restoring.job.restore_entry(Entry(type=EntryType.REGULAR), b"/a", b"/w/a", Replace.ALWAYS)
    with pytest.raises(LocalProtocolError):
        list(restoring.job.restore_page(WholePage(), Replace.ALWAYS))


def test_a_page_is_full_by_bytes_or_by_entries() -> None:
    page = WholePage()
    add(page, b"/a", bytes(PAGE_BYTES))
    assert page.full
    page = WholePage()
    for number in range(PAGE_ENTRIES):
        assert not page.full
        add(page, b"/%d" % number, b"")
    assert page.full
    assert len(page) == PAGE_ENTRIES


def test_a_number_that_fits_no_field_leaves_the_page_as_it_was() -> None:
    page = WholePage()
    add(page, b"/a", b"x")
    size = page.size
    with pytest.raises(struct.error):
        add(page, b"/b", b"x", mtime=1 << 63)
    assert (page.size, len(page), len(page.laid_out())) == (size, 1, size)


def test_the_word_for_trouble_is_the_one_that_c_reads(restoring: Running) -> None:
    import ctypes

    callbacks: Callbacks = restoring.job._callbacks
    word = ctypes.c_uint32.from_address(callbacks.trouble_at)
    assert (word.value, callbacks.trouble) == (0, False)
    callbacks.trouble = True
    assert (word.value, callbacks.trouble) == (1, True)
    callbacks.trouble = False
    assert word.value == 0


def test_content_that_the_agent_does_not_take_is_an_error_of_that_entry(restoring: Running) -> None:
    page, fifo = WholePage(), Entry(type=EntryType.FIFO)
    page.add(fifo[COOKIE:], b"/@GOOD/fifo", b"", b"/w/@GOOD/fifo", [WholeStream(AgentStream.DATA, 7, b"seven b")])
    page.add(fifo[COOKIE:], b"/@GOOD/node", b"", b"/w/@GOOD/node", [WholeStream(AgentStream.DATA, 0, b"")])
    ((number, error),) = restoring.job.restore_page(page, Replace.ALWAYS)
    assert number == 0
    assert "made it without its content" in str(error)
    assert restoring.job.handed.restored == 1
