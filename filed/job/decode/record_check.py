"""Checks the records of one Job against what is stored to prove them: decodes all, keeps nothing."""

from __future__ import annotations

from collections.abc import Callable

from filed.errors import StreamError, printable
from filed.job.context import Counters, Messages
from filed.job.decode.attribute_update import WITH_CONTENT
from filed.job.decode.attributes import META_STREAMS, meta_streams
from filed.job.decode.known import NOTHING_KNOWN, KnownEntries, check_attributes, check_metadata
from filed.job.decode.native_entries import Native, NativeEntries, Purpose
from filed.job.decode.native_runs import NativeRuns, PlainRuns
from filed.job.decode.stored_file import StoredFile
from filed.pipeline import Decoder, Digest
from filed.wire.attributes import Attributes, FileType, attributes_of
from filed.wire.metadata_digest import METADATA_STREAMS, MetadataDigest
from filed.wire.plugin_name import parse_plugin_name
from filed.wire.stream import ATTRIBUTE_STREAMS, DATA_STREAMS, WIN32_STREAMS, Buffer, Stream, stream_type

_WITHOUT_CONTENT = frozenset({FileType.HARD_LINK, FileType.SYMLINK, FileType.DIRECTORY})
_PLAIN_DATA = DATA_STREAMS - WIN32_STREAMS  # Windows has data of a directory, too
_WITH_CONTENT = (FileType.REGULAR, FileType.EMPTY, FileType.RAW_DEVICE, FileType.FIFO_DATA)


SHOWN_EVERY = 256  # entries


class RecordCheck:
    """Give it each record, then `end`. wrong: told of each file that is not what it should be, with a whole sentence.

    on_entry: told of each attributes record, but for those that `native` looked at: on_page is given these by the page.
    known: what a catalog has of the entries. native: where it can be had; it is not used with keys.
    """

    def __init__(
        self,
        decoder: Decoder,
        messages: Messages,
        counters: Counters,
        wrong: Callable[[StreamError, str], None],
        on_entry: Callable[[Attributes], None] = lambda _attributes: None,
        *,
        known: KnownEntries = NOTHING_KNOWN,
        native: Native | None = None,
        on_page: Callable[[NativeEntries], None] = lambda _entries: None,
    ) -> None:
        self._decoder, self._messages, self._counters = decoder, messages, counters
        self._wrong, self._on_entry, self._known = wrong, on_entry, known
        self._file: StoredFile | None = None
        self._metadata: MetadataDigest | None = None  # of the entry at hand, while nothing is wrong with it
        self._path = b""
        self._file_index = 0
        self._of_plugin = self._without_content = False
        self.entries = 0
        self._on_page = on_page
        self._native: NativeEntries | None = None
        self._runs: NativeRuns | PlainRuns = PlainRuns(self._record)
        if native is not None and decoder.keyring.empty:
            self._native = NativeEntries(native, b"", known, purpose=Purpose.CHECK)
            self._runs = NativeRuns(self._native, self._record, self._end_entry, self._count_page)

    def record(self, word: int, file_index: int, data: Buffer) -> None:
        self._runs.record(word, file_index, data)

    def run(self, data: bytes, begin: int, end: int) -> None:
        """data[begin:end]: whole records, each behind its header, as on a Volume."""
        self._runs.run(data, begin, end)

    def end(self) -> None:
        """All records of a session have come."""
        self._runs.let_go()
        self._count_page()
        self._end_entry()

    def _count_page(self) -> None:
        """Entries of which nothing is to be told."""
        native = self._native
        if not native:
            return
        self.entries += len(native)
        self._counters.files(len(native))
        self._counters.read(native.content_bytes)
        self._counters.show()
        self._decoder.digests.saw(map(Digest, native.digests()))
        self._decoder.digests.count_content(native.undigested)
        self._on_page(native)
        native.clear()

    def _record(self, word: int, file_index: int, data: Buffer) -> None:
        kind = stream_type(word)
        try:
            if kind in ATTRIBUTE_STREAMS:
                self._end_entry()
                self._count_page()
                if self._native is not None:
                    self._native.saw(file_index)
                self._file_index, self._path, self._without_content = file_index, b"", False
                attributes = attributes_of(file_index, data)
                self._begin(attributes, metadata_only=kind == Stream.UNIX_ATTRIBUTE_UPDATE)
            elif kind == Stream.PLUGIN_NAME:
                self._end_entry()
                self._of_plugin = parse_plugin_name(data).start
            elif self._file_index != file_index:
                self._end_entry()  # damage took the attributes of another entry: what is left of that one is nobody's
            elif self._without_content and kind in _PLAIN_DATA and len(data):
                self._refuse_content(kind)
            elif kind in METADATA_STREAMS and self._metadata is not None:
                self._metadata.add(kind, data)
                if kind in META_STREAMS:
                    meta_streams(kind, data)  # as the restore will
            elif self._file is not None:
                for _, piece in self._file.record(word, kind, data):
                    self._counters.read(len(piece))
        except StreamError as error:
            self._file = self._metadata = None
            name = printable(self._path) if self._path else f"FileIndex {file_index}"
            self._wrong(error, f"{name}: {error}")

    def _refuse_content(self, kind: int) -> None:
        """Once for each entry."""
        self._without_content = False
        raise StreamError("content is stored of an entry that has none", kind, self._file_index)

    def _end_entry(self) -> None:
        """The records of one entry are complete."""
        file, self._file = self._file, None
        metadata, self._metadata = self._metadata, None
        try:
            if file is not None:
                for _, piece in file.finish():
                    self._counters.read(len(piece))
                self._messages.warn_once(file.unproved)
            if metadata is not None:
                check_metadata(self._known, self._file_index, metadata.digest)
        except StreamError as error:
            self._wrong(error, f"{printable(self._path)}: {error}")

    def _begin(self, attributes: Attributes, *, metadata_only: bool) -> None:
        self.entries += 1
        self._path = attributes.path
        self._counters.files()
        if self.entries % SHOWN_EVERY == 0:
            self._counters.show()
        self._without_content = attributes.type in _WITHOUT_CONTENT and not self._of_plugin
        self._on_entry(attributes)
        without = metadata_only and attributes.type in WITH_CONTENT
        check_attributes(self._known, self._file_index, attributes, metadata_only=without)
        self._metadata = MetadataDigest()
        if not metadata_only and attributes.type in _WITH_CONTENT:
            self._file = StoredFile(self._decoder, attributes, self._known, of_plugin=self._of_plugin)
