"""Where a Job's records go: the storage, the catalog, the counters. Called once for each record, in order."""

from __future__ import annotations

from collections.abc import Callable

from filed.catalog import RecordFeed
from filed.job.workplace import Workplace
from filed.storage import AppendSession
from filed.wire.stream import DATA_STREAMS, DIGEST_STREAMS, Buffer, Stream

_CATALOGED = frozenset({Stream.UNIX_ATTRIBUTES, Stream.PLUGIN_NAME, Stream.RESTORE_OBJECT}) | DIGEST_STREAMS


class JobSink:
    """The end of a backup's queue. on_digest: told of each digest record."""

    def __init__(self, place: Workplace, session: AppendSession, feed: RecordFeed) -> None:
        self._totals = place.totals
        self._store = session.write
        self._catalog = feed.record
        self.feed = feed
        self.on_digest: Callable[[int, int, bytes], None] = lambda _index, _stream, _digest: None

    def write(self, file_index: int, stream: int, data: Buffer) -> None:
        """One record; `data` is only lent."""
        self._store(file_index, stream, data)
        if stream in DATA_STREAMS:
            self._totals.job_bytes += len(data)
        elif stream in _CATALOGED:
            self._catalog(file_index, stream, data)
            if stream in DIGEST_STREAMS:
                self.on_digest(file_index, stream, bytes(data))
