"""Whether the content of an entry is that of the base: read for its digest alone, where nothing else of it differs.

What is as before is left out; what is not is read once more when it is sent. So only entries that can be read again come here.
"""

from __future__ import annotations

from filed.agents import Want
from filed.agents.abi import AgentStream, Status
from filed.errors import ItemError
from filed.job.context import Cancellation, Counters
from filed.job.encode.options_plan import plan_of_digest
from filed.job.encode.reader import Reading
from filed.job.select.changed_since import Doubt
from filed.job.select.chosen import DATA_BIT, FAILED, Chosen, Lister
from filed.pipeline import Encoder, RecordQueue, Workers
from filed.wire.stream import DIGEST_STREAMS, Buffer


class ContentChecks:
    """encrypting: whether the Job signs or encrypts; then it leaves no holes, which a digest would show."""

    def __init__(self, workers: Workers, counters: Counters, cancellation: Cancellation, *, encrypting: bool) -> None:
        self._workers, self._encrypting = workers, encrypting
        self._counters, self._cancellation = counters, cancellation
        self._queue = RecordQueue(self._take)
        self._reading = Reading(self._queue, lambda _size: None, counters.show)  # what is sent is counted
        self._encoders: dict[tuple[int, bool], Encoder] = {}
        self._digest = b""

    def same(self, lister: Lister, doubted: list[Chosen]) -> set[int]:
        """The cookies of those, of the last page, whose content is as before. What cannot be read is not among them."""
        found: set[int] = set()
        wants = [Want(each.entry.cookie, DATA_BIT, each.options_plan.want_options) for each in doubted]
        done = 0
        while done < len(doubted):
            contents: list[Buffer | None] = [None]
            if lister.job.fetches:
                page = lister.job.fetch(wants[done:])
                contents = [None if entry.flags & FAILED else page.inline(entry) for entry in page.entries]
            for each, content in zip(doubted[done:], contents, strict=False):
                if self._is_same(lister, each, content):
                    found.add(each.entry.cookie)
            done += len(contents)
            self._counters.show()
            self._cancellation.check()
        return found

    def _is_same(self, lister: Lister, chosen: Chosen, content: Buffer | None) -> bool:
        doubt = chosen.doubt
        assert doubt is not None
        encoder = self._encoder(doubt, sparse=chosen.options_plan.options.sparse and not self._encrypting)
        self._digest = b""
        if content is not None:
            encoder.small(0, content)
        else:
            try:
                self._stream(lister, chosen, encoder)
            except ItemError:
                return False  # told when it is sent, which fails as well or does not
        self._queue.flush()
        return self._digest == doubt.digest

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

    def _encoder(self, doubt: Doubt, *, sparse: bool) -> Encoder:
        key = (doubt.stream, sparse)
        if key not in self._encoders:
            self._encoders[key] = Encoder(plan_of_digest(doubt.stream, sparse=sparse), self._workers, self._queue)
        return self._encoders[key]

    def _take(self, _file_index: int, stream: int, data: Buffer) -> None:
        if stream in DIGEST_STREAMS:
            self._digest = bytes(data)
