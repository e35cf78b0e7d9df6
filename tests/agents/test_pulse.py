from __future__ import annotations

import ctypes
import os

from hypothesis import given
from hypothesis import strategies as st

from filed.agents.pulse import ENTRY_AT, ENTRY_MAX, PAGE_BYTES, SLOTS, Call, Cancel, Counters, Pulse


def test_a_call_is_seen_from_its_mark_to_its_unmark() -> None:
    pulse = Pulse()
    assert pulse.current() is None
    slot = pulse.register("exchange 1.4")
    pulse.set_entry(b"/@EXCHANGE/db")
    pulse.mark(Call.read, slot)
    current = pulse.current()
    assert current is not None
    assert (current.agent, current.call, current.entry) == ("exchange 1.4", "read", b"/@EXCHANGE/db")
    assert str(current) == "read, entry /@EXCHANGE/db"
    pulse.unmark()
    assert pulse.current() is None
    assert pulse.progress.progress == 1


def test_what_a_child_wrote_is_read_after_its_death() -> None:
    pulse = Pulse()
    pid = os.fork()
    if pid == 0:
        pulse.mark(Call.begin, pulse.register("a 1"))
        pulse.count(Counters(files=3, bytes_read=5))
        os._exit(0)
    os.waitpid(pid, 0)
    assert str(pulse.current()) == "begin"
    assert pulse.counters == Counters(files=3, bytes_read=5)


def test_the_parent_s_cancel_is_seen_at_the_address_that_agents_poll() -> None:
    pulse = Pulse()
    word = ctypes.c_uint32.from_address(pulse.address)
    assert word.value == pulse.cancel == 0
    pulse.ask_cancel()
    assert word.value == pulse.cancel == Cancel.ASKED


def test_a_fault_never_hides_that_a_person_asked() -> None:
    pulse = Pulse()
    pulse.ask_cancel(Cancel.FAULT)
    assert pulse.cancel == Cancel.FAULT
    pulse.ask_cancel(Cancel.ASKED)
    pulse.ask_cancel(Cancel.FAULT)
    assert pulse.cancel == Cancel.ASKED


def test_a_cancel_of_the_director_stays_one() -> None:
    pulse = Pulse()
    pulse.ask_cancel(Cancel.BY_DIRECTOR)
    pulse.ask_cancel(Cancel.ASKED)
    pulse.ask_cancel(Cancel.FAULT)
    assert pulse.cancel == Cancel.BY_DIRECTOR


def test_an_agent_keeps_its_slot_and_those_past_the_last_share_it() -> None:
    pulse = Pulse()
    assert pulse.register("a 1") == pulse.register("a 1") == 1
    for number in range(2, SLOTS + 10):
        slot = pulse.register(f"agent {number}")
        assert slot == min(number, SLOTS)
    pulse.mark(Call.ready, slot)
    current = pulse.current()
    assert current is not None
    assert current.agent == f"agent {number}"


def test_a_cancel_beside_a_call_is_told_with_both() -> None:
    pulse = Pulse()
    slot = pulse.register("a 1")
    pulse.mark_cancel(slot)
    assert str(pulse.current()) == "cancel"
    pulse.mark(Call.read, slot)
    assert str(pulse.current()) == "cancel beside read"


def test_a_long_entry_is_cut_and_a_hostile_one_cannot_forge_a_line() -> None:
    pulse = Pulse()
    pulse.mark(Call.read, pulse.register("a 1"))
    pulse.set_entry(b"/" + b"x" * 5000)
    current = pulse.current()
    assert current is not None
    assert len(current.entry) == ENTRY_MAX
    pulse.set_entry(b"/a\nb\xff")
    assert str(pulse.current()) == "read, entry /a\\nb\\xff"


def test_counters_and_bandwidth_come_back() -> None:
    pulse = Pulse()
    counters = Counters(1, 2, 3, 4, 5, 6, 7)
    pulse.count(counters)
    assert pulse.counters == counters
    pulse.bandwidth = 10**12
    assert pulse.bandwidth == 10**12
    assert pulse.counters == counters


def test_each_request_for_patience_is_told_apart() -> None:
    pulse = Pulse()
    pulse.defer(60)
    pulse.defer(60)
    assert pulse.deferred == (2, 60)


def test_last_words_stay() -> None:
    pulse = Pulse()
    assert pulse.last_words == ""
    pulse.set_last_words("it closed what is not its own")
    assert pulse.last_words == "it closed what is not its own"


def test_a_process_that_is_not_forked_maps_the_same_page() -> None:
    descriptor = os.memfd_create("page")
    os.ftruncate(descriptor, PAGE_BYTES)
    ours, theirs = Pulse(descriptor), Pulse(descriptor)
    os.close(descriptor)
    theirs.mark(Call.query, theirs.register("a"))
    assert str(ours.current()) == "query"


@given(st.lists(st.tuples(st.integers(0, PAGE_BYTES // 8 - 1), st.integers(0, 2**64 - 1)), max_size=40))
def test_a_page_of_any_bytes_can_be_read(words: list[tuple[int, int]]) -> None:
    pulse = Pulse()
    for number, word in [(2, 1 << 16 | 3), *words]:
        pulse.words[number] = word
    assert len(str(pulse.current())) < 64 << 10
    assert len(pulse.last_words) <= PAGE_BYTES
    assert len(pulse.counters) == 7
    assert len(pulse.deferred) == 2


def test_a_length_that_was_half_written_is_cut_to_the_page() -> None:
    pulse = Pulse()
    pulse.mark(Call.read, pulse.register("a 1"))
    pulse.halves[ENTRY_AT // 4] = 0xFFFF_FFFF
    current = pulse.current()
    assert current is not None
    assert len(current.entry) == ENTRY_MAX
