"""The shared page of a job process: what is being called, on which entry, how far the Job is, and whether to stop.

One anonymous shared mapping, made before the fork. The job process writes it, its parent reads it, most of all when the
job process is dead; either side may set cancel. Nothing is locked: every word is written in one aligned store, and a
text carries its length, which the reader checks, so a page left half-written by a crash still reads.

    0  u32 cancel          Cancel; the agents' `cancel` word
    8  u64 heartbeat       the agents' `heartbeat` word
   16  u64 call            0: our own code runs; else Call number | slot of the agent << 16
   24  u64 progress        calls that returned and callbacks that were made
   32  u64 defer           seconds << 32 | how often an agent asked for patience
   40  u64 bandwidth       bytes per second; 0: no limit; written by the parent
   48  8 x u64 counters    see Counters
  112  u64 cancelling      slot of the agent whose `cancel` is being called beside the call above
  128  u32 length, bytes   the entry of the call; up to 1020 bytes, longer names are cut
 1152  29 x (u32 length, 96 bytes)   what each slot's agent is called: "exchange 1.4"
 4096  u32 length, bytes   the rule that an agent broke, should the process have no other way left to tell it
 8192  16 x (u64 address, u64 size, u64 slot, u32 length, 228 bytes)   buffers that `read` has filled, and of which entry
12288  16 x (u64 thread, u64 slot, u32 length, 236 bytes)   streams that are read now by threads of their own
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import NamedTuple, NewType

from filed.errors import printable
from filed.process.system import SharedMemory

PAGE_BYTES = 16384
CANCEL_AT, HEARTBEAT_AT = 0, 8
CALL_WORD, PROGRESS_WORD, DEFER_WORD, BANDWIDTH_WORD, COUNTERS_WORD, CANCELLING_WORD = 2, 3, 4, 5, 6, 14
ENTRY_AT, ENTRY_MAX = 128, 1020
SLOTS_AT, SLOT_BYTES, SLOTS = 1152, 100, 29
LAST_WORDS_AT, LAST_WORDS_MAX = 4096, 2044
FILLED_AT, FILLED_BYTES, FILLED, FILLED_NAME_AT = 8192, 256, 16, 24
STREAMS_AT, STREAM_BYTES, STREAMS, STREAM_NAME_AT = 12288, 256, 16, 16

Slot = NewType("Slot", int)
NO_SLOT = Slot(0)


class Cancel(IntEnum):
    NO = 0
    ASKED = 1
    FAULT = 2  # our own callback failed: agents are to stop, the Job fails
    BY_DIRECTOR = 3  # who tells the Storage Daemon as well


class Call(IntEnum):
    """Every moment in which an agent's code runs; the name is what a report says."""

    none = 0
    load = 1  # its constructors
    query = 2
    # made by abi/layout.py from bplugin.h: do not edit
    create = 3
    option = 4
    ready = 5
    extension = 6
    begin = 7
    next_entries = 8
    fetch = 9
    open_stream = 10
    read = 11
    close_stream = 12
    restore_entry = 13
    restore_stream = 14
    write = 15
    restore_done = 16
    commit = 17
    cancel = 18
    end = 19
    confirmed = 20
    destroy = 21
    prepare = 22
    release = 23
    plan = 24
    # to here


class Counters(NamedTuple):
    """The Job so far. `files_seen`: listed by agents, taken or not."""

    files: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    errors: int = 0
    files_expected: int = 0
    bytes_expected: int = 0
    files_seen: int = 0


class Current(NamedTuple):
    """An agent's call in progress."""

    agent: str
    call: str
    entry: bytes

    def __str__(self) -> str:
        at = f", entry {printable(self.entry)}" if self.entry else ""
        return f"{self.call}{at}"


class Progress(NamedTuple):
    """Two equal values, some time apart, with `calling` set: the agent did nothing that shows."""

    calling: int
    heartbeat: int
    progress: int


class StatusPage:
    """See the module. Made once per Job by the parent; both sides keep it for the Job's life.

    memory: PAGE_BYTES that another process made; default: new.
    """

    def __init__(self, memory: SharedMemory | None = None) -> None:
        self.memory = memory or SharedMemory(PAGE_BYTES)
        self._page = self.memory.map
        view = memoryview(self._page)
        self.words = view.cast("Q")  # the hot words are written by index: 30 ns each
        self.halves = view.cast("I")
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._page))

    # ---- the job process -----------------------------------------------------------------------------------------

    def register(self, agent: str) -> Slot:
        """Gives an agent ("exchange 1.4") its number for `mark`. Past 29 agents the newest takes the last one."""
        text = agent.encode()[: SLOT_BYTES - 4]
        number = 1
        while number < SLOTS and self._text(SLOTS_AT + (number - 1) * SLOT_BYTES, SLOT_BYTES - 4) not in (b"", text):
            number += 1
        self._write(SLOTS_AT + (number - 1) * SLOT_BYTES, SLOT_BYTES - 4, text)
        return Slot(number)

    def mark(self, call: Call, slot: Slot) -> None:
        self.words[CALL_WORD] = call | slot << 16

    def unmark(self) -> None:
        self.words[CALL_WORD] = 0
        self.words[PROGRESS_WORD] += 1

    def mark_cancel(self, slot: Slot) -> None:
        """`cancel` runs on its own thread, so it has its own word. NO_SLOT when it returned."""
        self.words[CANCELLING_WORD] = slot

    def set_entry(self, name: bytes) -> None:
        """The entry that the coming calls are about; b"" for none."""
        self._write(ENTRY_AT, ENTRY_MAX, name)

    def set_reason(self, text: str) -> None:
        self._write(LAST_WORDS_AT, LAST_WORDS_MAX, text.encode())

    def filled(self, number: int, slot: Slot, address: int, size: int, entry: bytes) -> None:
        """Buffer `number` has what `read` gave of the entry; nobody may write into it now."""
        at = FILLED_AT + number % FILLED * FILLED_BYTES
        word = at // 8
        self.words[word], self.words[word + 1], self.words[word + 2] = address, size, slot
        self._write(at + FILLED_NAME_AT, FILLED_BYTES - FILLED_NAME_AT - 4, entry)

    def reads_beside(self, number: int, thread: int, slot: Slot, entry: bytes) -> None:
        """Stream `number`, below STREAMS, is in a `read` of this thread (of the kernel's number); thread 0: no more."""
        at = STREAMS_AT + number * STREAM_BYTES
        if thread:
            self.words[at // 8 + 1] = slot
            self._write(at + STREAM_NAME_AT, STREAM_BYTES - STREAM_NAME_AT - 4, entry)
        self.words[at // 8] = thread

    def defer(self, seconds: int) -> None:
        asked = self.words[DEFER_WORD] + 1 & 0xFFFF_FFFF
        self.words[DEFER_WORD] = seconds << 32 | asked

    def count(self, counters: Counters) -> None:
        for number, value in enumerate(counters, COUNTERS_WORD):
            self.words[number] = value

    # ---- both ----------------------------------------------------------------------------------------------------

    @property
    def cancel(self) -> int:
        return self.halves[0]

    def ask_cancel(self, why: Cancel = Cancel.ASKED) -> None:
        """Sets the word that agents poll. A cancel that was asked for is never turned into a fault."""
        if self.halves[0] not in (Cancel.ASKED, Cancel.BY_DIRECTOR):
            self.halves[0] = why

    @property
    def bandwidth(self) -> int:
        return self.words[BANDWIDTH_WORD]

    @bandwidth.setter
    def bandwidth(self, bytes_per_second: int) -> None:
        self.words[BANDWIDTH_WORD] = bytes_per_second

    # ---- the parent ----------------------------------------------------------------------------------------------

    @property
    def counters(self) -> Counters:
        return Counters._make(self.words[COUNTERS_WORD : COUNTERS_WORD + len(Counters._fields)])

    @property
    def progress(self) -> Progress:
        return Progress(self.words[CALL_WORD], self.words[HEARTBEAT_AT // 8], self.words[PROGRESS_WORD])

    @property
    def deferred(self) -> tuple[int, int]:
        """(how often an agent asked for patience, for how many seconds the last time)"""
        word = self.words[DEFER_WORD]
        return word & 0xFFFF_FFFF, word >> 32

    def current(self) -> Current | None:
        """The agent's call in progress, or the one the process died in; None: our own code was running."""
        word, cancelling = self.words[CALL_WORD], self.words[CANCELLING_WORD]
        if not word and not cancelling:
            return None
        number, slot = word & 0xFFFF, word >> 16 or cancelling
        call = Call(number).name if number in set(Call) else f"call {number}"
        if cancelling:
            call = f"cancel beside {call}" if word else "cancel"
        entry = self._text(ENTRY_AT, ENTRY_MAX)
        return Current(self._agent(slot), call, entry)

    def writer_into(self, address: int) -> Current | None:
        """The agent whose buffer, filled by `read`, has this address in it; None when none has."""
        for at in range(FILLED_AT, FILLED_AT + FILLED * FILLED_BYTES, FILLED_BYTES):
            start, size, slot = self.words[at // 8 : at // 8 + 3]
            if start <= address < start + size:
                entry = self._text(at + FILLED_NAME_AT, FILLED_BYTES - FILLED_NAME_AT - 4)
                return Current(self._agent(slot), Call.read.name, entry)
        return None

    def read_by(self, thread: int) -> Current | None:
        """The stream that was read by this thread; None when none was."""
        for at in range(STREAMS_AT, STREAMS_AT + STREAMS * STREAM_BYTES, STREAM_BYTES):
            reader, slot = self.words[at // 8 : at // 8 + 2]
            if thread and reader == thread:
                entry = self._text(at + STREAM_NAME_AT, STREAM_BYTES - STREAM_NAME_AT - 4)
                return Current(self._agent(slot), Call.read.name, entry)
        return None

    def _agent(self, slot: int) -> str:
        name = self._text(SLOTS_AT + (slot - 1) * SLOT_BYTES, SLOT_BYTES - 4) if 1 <= slot <= SLOTS else b""
        return name.decode("utf-8", "replace") or "(unknown)"

    @property
    def entry(self) -> bytes:
        """What the agents were last called about; b"" for nothing yet."""
        return self._text(ENTRY_AT, ENTRY_MAX)

    @property
    def backtrace(self) -> str:
        """What `set_reason` left, for a process that died without an outcome; "" for nothing."""
        return self._text(LAST_WORDS_AT, LAST_WORDS_MAX).decode("utf-8", "replace")

    def _write(self, at: int, limit: int, text: bytes) -> None:
        length = min(len(text), limit)
        self.halves[at // 4] = 0  # never a length that belongs to other bytes
        self._page[at + 4 : at + 4 + length] = text[:length]
        self.halves[at // 4] = length

    def _text(self, at: int, limit: int) -> bytes:
        length = min(self.halves[at // 4], limit)
        return self._page[at + 4 : at + 4 + length]
