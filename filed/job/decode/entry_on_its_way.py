"""One stored entry on its way to an agent: content as it comes, ACLs and extended attributes behind it, the verdict at its end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from filed.agents import AgentStream, Status
from filed.errors import ItemError, StreamError
from filed.job.agents.restorers import Restorer
from filed.job.agents.spot_check import CHECKED
from filed.job.context import Counters, Messages
from filed.job.decode.attributes import META_STREAMS, meta_streams
from filed.job.decode.known import KnownEntries, check_metadata
from filed.job.decode.stored_file import StoredFile
from filed.job.decode.written import Written
from filed.pipeline.reverse import Piece
from filed.wire.attributes import Attributes, FileType, decode_stat
from filed.wire.metadata_digest import METADATA_STREAMS, MetadataDigest
from filed.wire.stream import DATA_STREAMS, Buffer

MAX_META_BYTES = 16 << 20
"""ACLs and extended attributes of one entry, which wait for its end; kernels allow a few times 64 KiB."""


class EntryOnItsWay:
    """One entry on its way to an agent. file_index: that all its records have.  written: looks at what the agent makes of it.

    known: what a catalog has of it.
    """

    def __init__(
        self,
        restorer: Restorer,
        stored: StoredFile | None,
        file_index: int,
        attributes: Attributes,
        *,
        dest: bytes,
        written: Written | None = None,
        known: KnownEntries,
        messages: Messages,
        counters: Counters,
    ) -> None:
        self.file_index = file_index
        self._known, self._metadata = known, MetadataDigest()
        self.attributes = attributes
        self._messages, self._counters = messages, counters
        self._job, self._on_restored, self._dest = restorer.job, restorer.on_restored, dest
        self._stored = stored  # None: the agent wants no data
        self._written = written
        self._streaming = False
        self._held: Piece | None = None  # until the next one comes: the last one is to say that it is
        self._untaken = False  # content came anyway
        self._meta: list[tuple[AgentStream, bytes]] = []
        self._meta_bytes = 0
        self._open = True

    def record(self, word: int, kind: int, data: Buffer) -> None:
        if kind in METADATA_STREAMS:
            self._metadata.add(kind, data)
        if kind in META_STREAMS:
            self._meta_bytes += len(data) + 1
            if self._meta_bytes > MAX_META_BYTES:
                raise StreamError(
                    f"ACLs and extended attributes of more than {MAX_META_BYTES:,} bytes", kind, self.file_index
                )
            self._meta += meta_streams(kind, data)
        elif self._stored is not None:
            self._write(self._stored.record(word, kind, data))
        elif kind in DATA_STREAMS:
            self._untaken |= len(data) > 0

    def _write(self, pieces: Iterator[Piece]) -> None:
        assert self._stored is not None
        for piece in pieces:
            self._pass_on(last=False)
            self._held = piece
            self._counters.read(len(piece[1]))

    def _pass_on(self, *, last: bool) -> None:
        """Give the agent the piece that is held."""
        if self._held is None or self._stored is None:
            return
        (offset, content), self._held = self._held, None
        if not self._streaming:
            self._streaming = True
            self._job.restore_stream(AgentStream.DATA, self._stored.size)
        self._job.write(content, offset, last=last)
        if self._written is not None:
            self._written.add(content, offset)

    def damaged(self) -> None:
        if self._stored is not None:
            self._stored.damaged()

    def finish(self) -> None:
        """Close the entry well; or, when digest, signature or size say otherwise, as corrupt, raising why."""
        try:
            if self._untaken:
                raise self._job.untaken()
            if self._stored is not None:
                self._write(self._stored.finish())
                self._messages.warn_once(self._stored.unproved)
                self._pass_on(last=True)
            check_metadata(self._known, self.file_index, self._metadata.digest)
            for stream, data in self._meta:
                self._job.restore_stream(stream, len(data))
                self._job.write(data, 0, last=True)
        except (ItemError, StreamError):
            self.abandon()
            raise
        self._open = False
        self._job.restore_done(Status.OK)
        if self._written is not None and self._streaming:
            self._written.look(self._job.label, self.attributes.path, self._messages)
        if self._on_restored is not None:
            kind, mtime = self.attributes.type, decode_stat(self.attributes.lstat).mtime
            if kind in CHECKED and (kind == FileType.DIRECTORY or self._stored is not None):
                self._on_restored(self._dest, kind, mtime)

    def abandon(self) -> None:
        """Tell the agent that what it has is not the file."""
        if self._open:
            self._open = False
            with contextlib.suppress(ItemError):  # it is reported and counted already
                self._pass_on(last=False)  # what there is may be all that is left
            with contextlib.suppress(ItemError):
                self._job.restore_done(Status.E_CORRUPT)
