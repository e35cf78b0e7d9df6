"""One Job of one agent instance: the calls between `begin` and `end`, in the order the contract wants.

Backup:   next_page, (fetch | open_stream, read*, close_stream)*, ... until a page's `end`; commit; end.
Restore:  (restore_entry, (restore_stream, write*)*, restore_done)*; commit; end.

Errors of every call: ItemError when the status concerns the one entry at hand, JobCanceled once a cancel is asked for,
AgentError else, with code E_VIOLATION when a rule was broken. A call that the host makes out of order raises
LocalProtocolError and does not reach the agent.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import NamedTuple, NoReturn, Self

from filed.agents.abi import (
    CHUNK,
    CHUNK_LAST,
    MIN_READ_BYTES,
    SIZE_UNKNOWN,
    VERSION_1_1,
    Action,
    AgentStream,
    BpAgentApi,
    BpPlan,
    BpStreams,
    Entry,
    EntryFlag,
    EntryType,
    Kind,
    Outcome,
    Replace,
    Severity,
    Status,
)
from filed.agents.buffers import Buffer, borrowed
from filed.agents.callbacks import Callbacks
from filed.agents.caller import Caller
from filed.agents.chunk import Chunk, chunk_rule, mark_unwritten
from filed.agents.page import MAX_SIZE, Page, PageReader, pack_wants
from filed.agents.page_buffer import PageBuffer
from filed.agents.parallel import ParallelStream
from filed.agents.restore_loop import Handed, RestoreLoop, WholePage
from filed.agents.restore_record import RestoreRecord
from filed.agents.shape import HostShape
from filed.agents.waiting import Patience
from filed.errors import AgentError, ItemError, JobCanceled, LocalProtocolError
from filed.process.status_page import STREAMS, Call

_CANCEL_PATIENCE_S = 5.0  # `cancel` must not block; `end` waits so long for one that does


class Want(NamedTuple):
    """What to fetch of a listed entry: a mask of `AgentStream` bits, and WantOption bits."""

    cookie: int
    streams: int
    options: int = 0


class AgentJob:
    """Made by `Agent.begin`. As a context manager it ends what was not ended: CANCELLED after JobCanceled, else FAILED."""

    def __init__(
        self,
        *,
        caller: Caller,
        callbacks: Callbacks,
        api: BpAgentApi,
        kind: Kind,
        address: int,
        patience: Patience,
        reader: PageReader,
        check_process_state: Callable[[str], None],
        lost: Callable[[], str],
        shape: HostShape,
        version: int,
        streams: BpStreams | None,
        plan: BpPlan | None,
    ) -> None:
        """version: the one agreed on.  streams, plan: its tables, where it has them."""
        self.kind, self._version = kind, version
        self._streams, self._parallel = streams, list[ParallelStream]()
        self._plan = plan
        self.ended = False
        # listed_all: END came. complete: and with it the word that nothing was left out, so what only the base has
        # below this agent's claims or lines is deleted. gap: something may be missing.
        self.listed_all = self.complete = self.gap = False
        self._caller, self._callbacks, self._api, self._address = caller, callbacks, api, address
        self._patience, self._reader, self._check_process_state = patience, reader, check_process_state
        self._call, self._lost, self._shape = caller.call, lost, shape
        self._committed = self._listed_some = False
        self._cancel_lock = threading.Lock()
        self._canceled = False
        # listing
        self._list_buffer: PageBuffer | None = None
        self._fetch_buffer: PageBuffer | None = None
        self._page: Page | None = None
        self._by_cookie: dict[int, tuple[Entry, bytes]] = {}
        # streams
        self._size_out = ctypes.c_uint64()
        self._size_at = ctypes.addressof(self._size_out)
        self._chunk = bytearray(CHUNK.size)
        self._chunk_at = ctypes.addressof(ctypes.c_char.from_buffer(self._chunk))
        self.stream_open = False
        self._position = 0
        self._last_read = False
        self._opened: set[tuple[int, int]] = set()
        # restore
        self._record = RestoreRecord()
        self._action_out = ctypes.c_uint32()
        self._action_at = ctypes.addressof(self._action_out)
        self._restoring = False
        self._dropping = False  # the stream at hand is not supported
        self._told_unsupported: set[int] = set()
        self._restore_loop: RestoreLoop | None = None

    @property
    def label(self) -> str:
        return self._caller.label

    def _check_files(self, call: Call) -> None:
        """Raises AgentError when a file of the host's was closed. Of a stream's calls the last one is looked at: 3 us, not 9."""
        if lost := self._lost():
            self._lost = str  # said once: the calls that end the Job follow
            rule = f"it closed a descriptor of the host, that of {lost}"
            self._caller.violated(call, f"{rule} (in this call, or in one before it for the same entry)")

    @property
    def overwritten(self) -> str:
        """Which of the host's own fields of a bp_batch the agent wrote over in its last answer; "" for none."""
        buffers = (self._list_buffer, self._fetch_buffer)
        return next((buffer.overwritten for buffer in buffers if buffer is not None and buffer.overwritten), "")

    # ---- backup: listing -----------------------------------------------------------------------------------------

    def next_page(self) -> Page | None:
        """The next entries, at least one; None after the last. Only when all of the last page are read or dropped.

        Waits, with pauses, for an agent that has nothing yet.
        """
        if self.kind == Kind.RESTORE or self.stream_open or self._parallel:
            self._out_of_order("next_entries")
        if self._list_buffer is None:
            gaps = self._version >= VERSION_1_1
            self._list_buffer = PageBuffer(self._shape.list_bytes, self._shape, gaps=gaps)
        buffer = self._list_buffer
        if self._page is not None:
            self._caller.entry = b""
            self._page, self._by_cookie, self._opened = None, {}, set()
        if self.listed_all:
            return None
        while True:
            buffer.clear()
            end = self._call(Call.next_entries, self._api.next_entries, self._address, buffer.address) == Status.END
            self._check_files(Call.next_entries)
            page = buffer.parse(self._reader, "next_entries", end=end)
            if len(page) or end:
                break
            if not self._patience.wait(self._callbacks.made):
                self._caller.violated(Call.next_entries, "only empty pages, and no sign of life")
        self._patience.renew()
        if end:
            if not self._listed_some and len(page) >= self._shape.max_entries:
                text = (
                    f"its list ended just where its first page was full, with {len(page)} entries; is that all it has?"
                )
                self._callbacks.tell(Severity.WARNING, f"agent {self.label}: {text} If so, end with an empty page")
            self.listed_all, self.complete, self.gap = True, page.complete, buffer.gap
            self._callbacks.state_allowed = False
            self._check_process_state("next_entries")
        if not len(page):
            return None
        self._page, self._listed_some = page, True
        return page

    @property
    def fetches(self) -> bool:
        """Without `fetch` everything goes through open_stream."""
        return bool(self._api.fetch)

    def fetch(self, wants: Sequence[Want]) -> Page:
        """The first of the wanted entries, as many as fit, again, with contents and small streams; at least one.

        wants: entries of the last page, in its order. The answer's entries are those of `wants[: len(page)]`.
        """
        if self.stream_open or not wants or not self.fetches:
            self._out_of_order("fetch")
        listed = self._listed()
        buffer = self._fetch_buffer = self._fetch_buffer or PageBuffer(self._shape.fetch_bytes, self._shape)
        buffer.clear()
        self._caller.entry = listed[wants[0].cookie][1]
        records = pack_wants(wants)
        self._call(Call.fetch, self._api.fetch, self._address, records, len(wants), buffer.address)
        self._check_files(Call.fetch)
        page = buffer.parse(self._reader, "fetch", end=False)
        if not len(page):
            self._caller.violated(Call.fetch, "it returned no entry")
        if len(page) > len(wants):
            self._caller.violated(Call.fetch, f"{len(page)} entries for {len(wants)} wanted")
        for (entry, name), want in zip(page, wants, strict=False):
            if entry.cookie != want.cookie or name != listed[want.cookie][1]:
                self._caller.entry = name
                self._caller.violated(Call.fetch, "its entries are not the wanted ones in their order")
        return page

    # ---- backup: streams -----------------------------------------------------------------------------------------

    def open_stream(self, cookie: int, stream: AgentStream, offset: int = 0) -> int | None:
        """Opens a stream of an entry of the last page; its size, None when unknown. Follow with read and close_stream.

        Once per stream and at offset 0, unless the entry is flagged REREAD.
        """
        listed = self._listed().get(cookie)
        if listed is None or self.stream_open:
            self._out_of_order("open_stream")
        entry, name = listed
        if (offset or (cookie, stream) in self._opened) and not entry.flags & EntryFlag.REREAD:
            self._out_of_order("open_stream")
        self._opened.add((cookie, stream))
        self._caller.entry = name
        self._size_out.value = SIZE_UNKNOWN
        self._position, self._last_read, self._caller.last_status = offset, False, Status.E_SEQUENCE
        try:
            self._call(Call.open_stream, self._api.open_stream, self._address, cookie, stream, offset, self._size_at)
        finally:
            self.stream_open = self._caller.last_status == Status.OK
        size = self._size_out.value
        if size == SIZE_UNKNOWN:
            return None
        if size > MAX_SIZE:
            self._caller.violated(Call.open_stream, f"a size of {size} bytes")
        return size

    def read(self, address: int, cap: int) -> Chunk:
        """Fills the memory at `address`, `cap` bytes of it (64 KiB at least), with what comes next."""
        if not self.stream_open or self._last_read or cap < MIN_READ_BYTES:
            self._out_of_order("read")
        CHUNK.pack_into(self._chunk, 0, 0, 0, 0, 0)
        mark_unwritten(address)
        self._call(Call.read, self._api.read, self._address, address, cap, self._chunk_at)
        offset, length, flags, _ = CHUNK.unpack_from(self._chunk)
        if rule := chunk_rule(offset, length, flags, address, cap, self._position):
            self._caller.violated(Call.read, rule)
        self._position = offset + length
        self._last_read = flags != 0
        return Chunk(offset, length, flags != 0)

    def filled(self, number: int, address: int, size: int) -> None:
        """Nobody may write into the host's buffer of this number any more: it has what the last `read` gave."""
        self._caller.filled(number, address, size)

    def close_stream(self, how: Status = Status.OK) -> None:
        """Always after an open_stream that succeeded. ItemError with E_CHANGED's text: it changed while read.

        how: E_FAIL of a Job that was canceled reaches the agent as E_CANCELLED.
        """
        if not self.stream_open:
            self._out_of_order("close_stream")
        self.stream_open = False
        if how == Status.E_FAIL and self._caller.canceled:
            how = Status.E_CANCELLED
        self._caller.call_to_the_end(Call.close_stream, self._api.close_stream, self._address, how)
        self._check_files(Call.close_stream)

    @property
    def parallel(self) -> int:
        """How many streams `open_parallel` may have open at once; 0: it has no parallel streams."""
        return min(self._streams.most, STREAMS) if self._streams is not None else 0

    def open_parallel(self, cookie: int) -> ParallelStream:
        """Opens the DATA of an entry of the last page, beside others. Its `read` is for any thread."""
        listed = self._listed().get(cookie)
        if self._streams is None or listed is None or len(self._parallel) >= self.parallel:
            self._out_of_order("open_stream")
        return ParallelStream(self._streams, self._address, cookie, listed[1], self._caller, self._parallel)

    def _listed(self) -> dict[int, tuple[Entry, bytes]]:
        if not self._by_cookie and self._page is not None:
            self._by_cookie = {entry.cookie: (entry, name) for entry, name in self._page}
        return self._by_cookie

    # ---- restore -------------------------------------------------------------------------------------------------

    def plan(self) -> None:
        """Before the first entry. Raises AgentError when it cannot be restored as it was asked for."""
        if self._plan is not None:
            self._call(Call.plan, self._plan.plan, self._address)

    def restore_entry(self, entry: Entry, name: bytes, dest: bytes, replace: Replace, link: bytes = b"") -> Action:
        """Prepares one file. What follows depends on the answer: WANT: its streams, then restore_done; CREATED:
        restore_done; SKIP or HOST: nothing.

        entry: offsets are filled in here. dest: the final path; link: where it leads, final as well.
        """
        if self.kind != Kind.RESTORE or self._restoring:
            self._out_of_order("restore_entry")
        self._caller.entry = dest
        base = self._record.write(entry, name, link, dest)
        self._action_out.value = Action.NONE
        function = self._api.restore_entry
        self._call(Call.restore_entry, function, self._address, base, base, dest, replace, self._action_at)
        action = self._action_out.value
        if not Action.SKIP <= action <= Action.HOST:
            self._caller.violated(Call.restore_entry, f"action {action} is unknown")
        if action == Action.HOST and entry.type == EntryType.OBJECT:
            self._caller.violated(Call.restore_entry, "a restore object is left to the host: it is the agent's own")
        self._restoring = action in (Action.WANT, Action.CREATED)
        return Action(action)

    @property
    def restoring(self) -> bool:
        """Is an entry prepared whose restore_done has not been called?"""
        return self._restoring

    def restore_stream(self, stream: AgentStream, size: int | None) -> None:
        """The chunks that follow are of this stream. size: None when unknown.

        A stream that the agent does not support is reported once, and what is written of it is dropped.
        """
        if not self._restoring:
            self._out_of_order("restore_stream")
        announced = SIZE_UNKNOWN if size is None else size
        self._dropping = False
        try:
            self._call(Call.restore_stream, self._api.restore_stream, self._address, stream, announced)
        except AgentError as error:
            self._leave_out(stream, error)
            self._dropping = True

    def _leave_out(self, stream: int, error: AgentError) -> None:
        """A stream is not supported; raises `error` when it says something else."""
        if error.code != Status.E_UNSUPPORTED:
            raise error
        if stream not in self._told_unsupported:
            self._told_unsupported.add(stream)
            text = f"agent {self.label} does not restore {AgentStream(stream).name}: {error.text}; it is left out"
            self._callbacks.tell(Severity.WARNING, text)

    def write(self, data: Buffer, offset: int, *, last: bool) -> None:
        """All of `data`, at `offset` of the stream; gaps are holes. last: the stream ends behind it."""
        if not self._restoring:
            self._out_of_order("write")
        if self._dropping:
            return
        flags = CHUNK_LAST if last else 0
        if type(data) is bytes:  # HOT: ctypes passes these as they lie
            CHUNK.pack_into(self._chunk, 0, offset, len(data), flags, 0)
            self._call(Call.write, self._api.write, self._address, data, self._chunk_at)
            return
        with borrowed(data) as (address, length):
            CHUNK.pack_into(self._chunk, 0, offset, length, flags, 0)
            self._call(Call.write, self._api.write, self._address, address, self._chunk_at)

    def restore_done(self, how: Status = Status.OK) -> None:
        """The entry is complete; E_CORRUPT: its digest or signature says it is not what was saved."""
        if not self._restoring:
            self._out_of_order("restore_done")
        self._restoring = False
        self._caller.call_to_the_end(Call.restore_done, self._api.restore_done, self._address, how)

    def restore_page(
        self, page: WholePage, replace: Replace, first: int = 0, end: int | None = None
    ) -> Iterator[tuple[int, ItemError | None]]:
        """Whole entries, first..end-1 of the page, each with all of its calls. To be taken to its end.

        Yields (number, error) of an entry that could not be restored, and (number, None) of one that is for the host, Action.HOST.
        """
        if self.kind != Kind.RESTORE or self._restoring:
            self._out_of_order("restore_entry")
        restore_loop = self._restore_loop = self._restore_loop or self._caller.restore_loop(self._api, self._address)
        restore_loop.start(page, replace, first, len(page) if end is None else end)
        while call := self._caller.run(restore_loop):
            number, self._restoring = restore_loop.number, restore_loop.entered
            self._caller.entry = page.dest(number)
            try:
                self._judge_handed(call, restore_loop)
            except ItemError as error:
                if restore_loop.entered:
                    with suppress(ItemError):  # it is reported already
                        self.restore_done(Status.E_CORRUPT)
                    restore_loop.skip()
                yield number, error
            else:
                if call == Call.restore_entry and restore_loop.action == Action.HOST:
                    yield number, None
        self._restoring = False

    def _judge_handed(self, call: Call, restore_loop: RestoreLoop) -> None:
        try:
            self._caller.judge_handed(call, restore_loop.status)
        except AgentError as error:
            if call != Call.restore_stream:
                raise
            self._leave_out(restore_loop.stream, error)
        if call == Call.restore_entry and not Action.SKIP <= restore_loop.action <= Action.HOST:
            self._caller.violated(call, f"action {restore_loop.action} is unknown")
        if call == Call.restore_entry and restore_loop.untaken:
            raise self.untaken()

    def untaken(self) -> ItemError:
        """What is wrong with an entry whose content is stored, and that the agent has made without."""
        return ItemError(self._caller.entry, f"agent {self.label} made it without its content, which is stored")

    @property
    def handed(self) -> Handed:
        """What came of all pages so far."""
        return self._restore_loop.handed if self._restore_loop else Handed(0, 0, 0)

    # ---- the end -------------------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Backup: the Storage side has everything and the state is sealed. Restore: after the last record. Once."""
        finished = self.kind == Kind.RESTORE or self.listed_all
        if self.kind not in (Kind.BACKUP, Kind.RESTORE) or not finished or self._committed or self.ended:
            self._out_of_order("commit")
        self._committed = True
        self._caller.entry = b""
        if self._api.commit:
            self._caller.call_to_the_end(Call.commit, self._api.commit, self._address)

    def cancel(self) -> None:
        """Makes a blocking call return. From any thread, beside a call; does nothing the second time or after end."""
        with self._cancel_lock:
            if self._canceled or self.ended:
                return
            self._canceled = True
            if self._api.cancel:
                self._caller.cancel(self._api.cancel, self._address)

    def end(self, outcome: Outcome) -> None:
        """Releases the agent's side of the Job. Exactly once, whatever happened before."""
        if self.ended:
            self._out_of_order("end")
        if not self._cancel_lock.acquire(timeout=_CANCEL_PATIENCE_S):
            self.ended = True  # `cancel` still uses the job: `end` would free it under its feet
            self._caller.violated(Call.cancel, "cancel blocks")
        try:
            self.ended = True
        finally:
            self._cancel_lock.release()
        self._callbacks.state_allowed = False
        self._caller.entry = b""
        try:
            self._caller.call_to_the_end(Call.end, self._api.end, self._address, outcome)
        except AgentError as error:
            if error.code in (Status.E_VIOLATION, Status.E_HOST):
                raise
            self._callbacks.tell(Severity.INFO, str(error))  # its job is released anyway
        finally:
            self._callbacks.close()
        self._check_process_state("end")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.ended:
            self.abandon(error)

    def abandon(self, error: BaseException | None) -> None:
        """Closes and ends because of `error`; what goes wrong now is added to it as a note, or raised without one."""
        outcome = Outcome.CANCELLED if isinstance(error, JobCanceled) else Outcome.FAILED
        how = Status.E_CANCELLED if outcome == Outcome.CANCELLED else Status.E_FAIL
        steps: list[Callable[[], None]] = [partial(self.end, outcome)]
        if self.stream_open:
            steps.insert(0, partial(self.close_stream, how))
        if self._parallel:
            steps[:0] = [self.cancel, *(partial(stream.abandon, how) for stream in self._parallel)]
        for step in steps:
            try:
                step()
            except (AgentError, ItemError, JobCanceled) as second:
                if error is None:
                    raise
                error.add_note(str(second))

    def _out_of_order(self, call: str) -> NoReturn:
        raise LocalProtocolError(f"agent {self.label}: {call} is not allowed now")
