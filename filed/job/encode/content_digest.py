"""Content read for its digest alone: is it that of the base? What differs is read again when it is sent."""

from __future__ import annotations

from filed.agents import Want
from filed.agents.abi import AgentStream, Status
from filed.errors import ItemError
from filed.job.agents.instance import Lister
from filed.job.context import Cancellation, Counters
from filed.job.encode.options_plan import DATA_BIT, OptionsPlans, plan_of_digest
from filed.job.encode.reader import Reading
from filed.job.select.chosen import FAILED, Chosen
from filed.job.select.selection import ContentCheck
from filed.pipeline import Encoder, RecordQueue
from filed.wire.stream import DIGEST_STREAMS, Buffer


class ContentDigests:
    """Of entries that can be read again. A Job that signs or encrypts leaves no holes, which a digest would show."""

    def __init__(self, plans: OptionsPlans, counters: Counters, cancellation: Cancellation) -> None:
        self._plans = plans
        self._counters, self._cancellation = counters, cancellation
        self._queue = RecordQueue(self._take)
        self._reading = Reading(self._queue, lambda _size: None, counters.show)  # what is sent is counted
        self._encoders: dict[tuple[int, bool], Encoder] = {}
        self._digest = b""

    def same(self, lister: Lister, chosen: list[Chosen]) -> set[int]:
        """The cookies of those, of the last page, whose content is as before. What cannot be read is not among them."""
        found: set[int] = set()
        wants = [Want(each.entry.cookie, DATA_BIT, self._plans.of(each.options).want_options) for each in chosen]
        done = 0
        while done < len(chosen):
            contents: list[Buffer | None] = [None]
            if lister.job.fetches:
                page = lister.job.fetch(wants[done:])
                contents = [None if entry.flags & FAILED else page.inline(entry) for entry in page.entries]
            for each, content in zip(chosen[done:], contents, strict=False):
                if self._is_same(lister, each, content):
                    found.add(each.entry.cookie)
            done += len(contents)
            self._counters.show()
            self._cancellation.check()
        return found

    def _is_same(self, lister: Lister, chosen: Chosen, content: Buffer | None) -> bool:
        check = chosen.check
        assert check is not None
        encoder = self._encoder(check, sparse=chosen.options.sparse and not self._plans.encrypting)
        self._digest = b""
        if content is not None:
            encoder.small(0, content)
        else:
            try:
                self._stream(lister, chosen, encoder)
            except ItemError:
                return False  # told when it is sent, which fails as well or does not
        self._queue.flush()
        return self._digest == check.digest

    def _stream(self, lister: Lister, chosen: Chosen, encoder: Encoder) -> None:
        job = lister.job
        job.open_stream(chosen.entry.cookie, AgentStream.DATA)
        how = Status.E_FAIL
        try:
            item = encoder.entry(0)
            try:
                length = self._reading.pull(job, item.data)
                how = Status.OK
            except ItemError:
                item.abandon()
                self._queue.flush()
                raise
        finally:
            job.close_stream(how)
        item.finish(length)

    def _encoder(self, check: ContentCheck, *, sparse: bool) -> Encoder:
        key = (check.stream, sparse)
        if key not in self._encoders:
            self._encoders[key] = Encoder(plan_of_digest(check.stream, sparse=sparse), self._plans.workers, self._queue)
        return self._encoders[key]

    def _take(self, _file_index: int, stream: int, data: Buffer) -> None:
        if stream in DIGEST_STREAMS:
            self._digest = bytes(data)
