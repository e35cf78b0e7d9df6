"""One of several streams of an agent that are open at once (`bp.streams/1`): opened and closed by the job thread, read by any."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable

from filed.agents.abi import (
    CHUNK,
    CHUNK_LAST,
    MIN_READ_BYTES,
    SIZE_UNKNOWN,
    AgentStream,
    BpError,
    BpStreams,
    OsDomain,
    Status,
)
from filed.agents.callbacks import MAX_TEXT_BYTES, Detail
from filed.agents.caller import Caller
from filed.agents.chunk import Chunk, chunk_rule, mark_unwritten
from filed.agents.page import MAX_SIZE
from filed.errors import JobCanceled, LocalProtocolError, printable
from filed.process.status_page import Call


class ParallelStream:
    """Made by `AgentJob.open_parallel`. path: of its entry. size: None when unknown. Errors: as of the calls of an AgentJob."""

    def __init__(  # noqa: PLR0917  each is one of the parts that meet here
        self,
        table: BpStreams,
        job: int,
        cookie: int,
        path: bytes,
        caller: Caller,
        opened: list[ParallelStream],
    ) -> None:
        """job: address of the bp_job.  opened: where it stands as long as it has to be closed."""
        self.path = path
        self.on_close: Callable[[], None] = lambda: None  # its reader has to stop
        self._table, self._caller, self._opened = table, caller, opened
        self._reading = threading.Lock()
        self._open = False
        self._position, self._last = 0, False
        self._text = ctypes.create_string_buffer(MAX_TEXT_BYTES)
        self._error = BpError()
        self._error_at = ctypes.addressof(self._error)
        self._chunk = bytearray(CHUNK.size)
        self._chunk_at = ctypes.addressof(ctypes.c_char.from_buffer(self._chunk))
        size, handle = ctypes.c_uint64(SIZE_UNKNOWN), ctypes.c_void_p()
        out = ctypes.addressof(size), ctypes.addressof(handle)
        caller.entry = path
        self._clear_error()
        caller.last_status = Status.E_SEQUENCE
        try:
            caller.answer(
                Call.open_stream, self._detail, table.open, job, cookie, AgentStream.DATA, *out, self._error_at
            )
        finally:
            self._handle = handle.value
            self._open = caller.last_status == Status.OK and bool(handle.value)
            self._number = next(one for one in range(len(opened) + 1) if all(one != other.number for other in opened))
            if self._open:
                opened.append(self)
        if not self._open:
            caller.violated(Call.open_stream, "open said OK and gave no stream")
        self.size = None if size.value == SIZE_UNKNOWN else size.value
        if size.value != SIZE_UNKNOWN and size.value > MAX_SIZE:
            caller.violated(Call.open_stream, f"a size of {size.value} bytes")

    @property
    def number(self) -> int:
        """The lowest that no other open stream of its agent has."""
        return self._number

    def read(self, address: int, cap: int) -> Chunk:
        """Fills the memory at `address`, `cap` bytes of it (64 KiB at least), with what comes next. Of any thread."""
        with self._reading:
            if not self._open or self._last or cap < MIN_READ_BYTES:
                raise LocalProtocolError(f"agent {self._caller.label}: read of a stream is not allowed now")
            CHUNK.pack_into(self._chunk, 0, 0, 0, 0, 0)
            mark_unwritten(address)
            self._clear_error()
            arguments = self._handle, address, cap, self._chunk_at, self._error_at
            status = self._caller.beside(self._number, self.path, self._table.read, *arguments)
            if self._caller.canceled:
                raise JobCanceled(f"canceled during read of agent {self._caller.label}")
            if status != Status.OK:
                self._caller.refuse(Call.read, status, self._detail(status), self.path)
            offset, length, flags, _ = CHUNK.unpack_from(self._chunk)
            if rule := chunk_rule(offset, length, flags, address, cap, self._position):
                self._caller.violated(Call.read, rule, self.path)
            self._position, self._last = offset + length, flags == CHUNK_LAST
            return Chunk(offset, length, self._last)

    def waits(self, beside: tuple[bytes, ...]) -> None:
        """The job thread waits for the next chunk. beside: other streams that are read now."""
        others = b", beside " + b", ".join(beside) if beside else b""
        self._caller.waits_for(Call.read, self.path + others)

    def goes_on(self) -> None:
        self._caller.waits_no_more()

    def close(self, how: Status = Status.OK) -> None:
        """Once, on the job thread; waits for a `read` that runs. ItemError with E_CHANGED's text: it changed while read."""
        self.on_close()
        self.waits(())
        with self._reading:  # a `read` that runs
            self.goes_on()
            self._open = False
        self._opened.remove(self)
        self._caller.entry = self.path
        self._clear_error()
        if how == Status.E_FAIL and self._caller.canceled:
            how = Status.E_CANCELLED
        arguments = self._handle, how, self._error_at
        self._caller.answer(Call.close_stream, self._detail, self._table.close, *arguments, to_the_end=True)

    def abandon(self, how: Status) -> None:
        """The same, of a Job that ends."""
        if self._open:
            self.close(how)

    def __str__(self) -> str:
        return printable(self.path)

    def _clear_error(self) -> None:
        address = ctypes.addressof(self._text)
        self._error.struct_size, self._error.os_domain = ctypes.sizeof(BpError), OsDomain.NONE
        self._error.os_error, self._error.text, self._error.cap, self._error.len = 0, address, MAX_TEXT_BYTES, 0

    def _detail(self, status: int) -> Detail | None:
        """What it says about the status that it returned."""
        error = self._error
        if not error.len and not error.os_error:
            return None
        text = ctypes.string_at(ctypes.addressof(self._text), min(error.len, MAX_TEXT_BYTES))
        return Detail(status, error.os_domain, error.os_error, printable(text.strip()))
