from __future__ import annotations

import ctypes
import os

from hypothesis import given
from hypothesis import strategies as st

from filed.process.status_page import ENTRY_AT, ENTRY_MAX, PAGE_BYTES, SLOTS, Call, Cancel, Counters, StatusPage
from filed.process.system import SharedMemory


def test_a_call_is_seen_from_its_mark_to_its_unmark() -> None:
    status_page = StatusPage()
    assert status_page.current() is None
    slot = status_page.register("exchange 1.4")
    status_page.set_entry(b"/@EXCHANGE/db")
    status_page.mark(Call.read, slot)
    current = status_page.current()
    assert current is not None
    assert (current.agent, current.call, current.entry) == ("exchange 1.4", "read", b"/@EXCHANGE/db")
    assert str(current) == "read, entry /@EXCHANGE/db"
    status_page.unmark()
    assert status_page.current() is None
    assert status_page.progress.progress == 1


def test_what_a_child_wrote_is_read_after_its_death() -> None:
    status_page = StatusPage()
    pid = os.fork()
    if pid == 0:
        status_page.mark(Call.begin, status_page.register("a 1"))
        status_page.count(Counters(files=3, bytes_read=5))
        os._exit(0)
    os.waitpid(pid, 0)
    assert str(status_page.current()) == "begin"
    assert status_page.counters == Counters(files=3, bytes_read=5)


def test_the_parent_s_cancel_is_seen_at_the_address_that_agents_poll() -> None:
    status_page = StatusPage()
    word = ctypes.c_uint32.from_address(status_page.address)
    assert word.value == status_page.cancel == 0
    status_page.ask_cancel()
    assert word.value == status_page.cancel == Cancel.ASKED


def test_a_fault_never_hides_that_a_person_asked() -> None:
    status_page = StatusPage()
    status_page.ask_cancel(Cancel.FAULT)
    assert status_page.cancel == Cancel.FAULT
    status_page.ask_cancel(Cancel.ASKED)
    status_page.ask_cancel(Cancel.FAULT)
    assert status_page.cancel == Cancel.ASKED


def test_a_cancel_of_the_director_stays_one() -> None:
    status_page = StatusPage()
    status_page.ask_cancel(Cancel.BY_DIRECTOR)
    status_page.ask_cancel(Cancel.ASKED)
    status_page.ask_cancel(Cancel.FAULT)
    assert status_page.cancel == Cancel.BY_DIRECTOR


def test_an_agent_keeps_its_slot_and_those_past_the_last_share_it() -> None:
    status_page = StatusPage()
    assert status_page.register("a 1") == status_page.register("a 1") == 1
    for number in range(2, SLOTS + 10):
        slot = status_page.register(f"agent {number}")
        assert slot == min(number, SLOTS)
    status_page.mark(Call.ready, slot)
    current = status_page.current()
    assert current is not None
    assert current.agent == f"agent {number}"


def test_a_cancel_beside_a_call_is_told_with_both() -> None:
    status_page = StatusPage()
    slot = status_page.register("a 1")
    status_page.mark_cancel(slot)
    assert str(status_page.current()) == "cancel"
    status_page.mark(Call.read, slot)
    assert str(status_page.current()) == "cancel beside read"


def test_a_long_entry_is_cut_and_a_hostile_one_cannot_forge_a_line() -> None:
    status_page = StatusPage()
    status_page.mark(Call.read, status_page.register("a 1"))
    status_page.set_entry(b"/" + b"x" * 5000)
    current = status_page.current()
    assert current is not None
    assert len(current.entry) == ENTRY_MAX
    status_page.set_entry(b"/a\nb\xff")
    assert str(status_page.current()) == "read, entry /a\\nb\\xff"


def test_counters_and_bandwidth_come_back() -> None:
    status_page = StatusPage()
    counters = Counters(1, 2, 3, 4, 5, 6, 7)
    status_page.count(counters)
    assert status_page.counters == counters
    status_page.bandwidth = 10**12
    assert status_page.bandwidth == 10**12
    assert status_page.counters == counters


def test_each_request_for_patience_is_told_apart() -> None:
    status_page = StatusPage()
    status_page.defer(60)
    status_page.defer(60)
    assert status_page.deferred == (2, 60)


def test_last_words_stay() -> None:
    status_page = StatusPage()
    assert status_page.backtrace == ""
    status_page.set_reason("it closed what is not its own")
    assert status_page.backtrace == "it closed what is not its own"


def test_a_process_that_is_not_forked_maps_the_same_page() -> None:
    descriptor = os.memfd_create("page")
    os.ftruncate(descriptor, PAGE_BYTES)
    ours, theirs = (StatusPage(SharedMemory(PAGE_BYTES, str(descriptor))) for _ in range(2))
    os.close(descriptor)
    theirs.mark(Call.query, theirs.register("a"))
    assert str(ours.current()) == "query"


@given(st.lists(st.tuples(st.integers(0, PAGE_BYTES // 8 - 1), st.integers(0, 2**64 - 1)), max_size=40))
def test_a_page_of_any_bytes_can_be_read(words: list[tuple[int, int]]) -> None:
    status_page = StatusPage()
    for number, word in [(2, 1 << 16 | 3), *words]:
        status_page.words[number] = word
    assert len(str(status_page.current())) < 64 << 10
    assert len(status_page.backtrace) <= PAGE_BYTES
    assert len(status_page.counters) == 7
    assert len(status_page.deferred) == 2


def test_a_length_that_was_half_written_is_cut_to_the_page() -> None:
    status_page = StatusPage()
    status_page.mark(Call.read, status_page.register("a 1"))
    status_page.halves[ENTRY_AT // 4] = 0xFFFF_FFFF
    current = status_page.current()
    assert current is not None
    assert len(current.entry) == ENTRY_MAX
