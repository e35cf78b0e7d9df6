"""Where a Job's records go: the storage, the catalog, the counters. Called once for each record, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from filed.catalog import RecordFeed
from filed.job.context import Cancellation, Counters
from filed.storage import AppendSession
from filed.wire.metadata_digest import METADATA_STREAMS
from filed.wire.stream import DATA_STREAMS, DIGEST_STREAMS, Buffer, Stream

CHECK_EVERY = 64  # records of data: some 4 MB
_CATALOGED = (
    frozenset({Stream.UNIX_ATTRIBUTES, Stream.PLUGIN_NAME, Stream.RESTORE_OBJECT}) | DIGEST_STREAMS | METADATA_STREAMS
)


class JobSink:
    """The end of a backup's queue. on_digest: told of each digest record.

    feed: None where the catalog is a Director's, who learns of the records by himself.
    """

    def __init__(
        self, session: AppendSession, counters: Counters, cancellation: Cancellation, feed: RecordFeed | None = None
    ) -> None:
        self._encoded, self._show_progress = counters.encoded, counters.show
        self._check_canceled = cancellation.check
        self._unchecked = 0
        self._store, self._store_all = session.write, session.write_all
        self._catalog = feed.record if feed is not None else None
        self.on_digest: Callable[[int, int, bytes], None] = lambda _index, _stream, _digest: None

    def write(self, file_index: int, stream: int, data: Buffer) -> None:
        """One record; `data` is only lent.

        Raises JobCanceled: the zeros of one large hole are hours of records without a page or a read in between.
        """
        self._store(file_index, stream, data)
        self._count(file_index, stream, data)

    def write_all(self, file_index: int, records: Sequence[tuple[int, Buffer]]) -> None:
        """Records of one file that are there together."""
        self._store_all(file_index, records)
        for stream, data in records:
            self._count(file_index, stream, data)

    def _count(self, file_index: int, stream: int, data: Buffer) -> None:
        if stream in DATA_STREAMS:
            self._encoded(len(data))
            self._unchecked += 1
            if self._unchecked == CHECK_EVERY:
                self._unchecked = 0
                self._check_canceled()
                self._show_progress()
        elif stream in _CATALOGED:
            if self._catalog is not None:
                self._catalog(file_index, stream, data)
            if stream in DIGEST_STREAMS:
                self.on_digest(file_index, stream, bytes(data))
