"""One stored file, record by record: its content comes out, and a verdict at the end.

Digest and signature stand behind the data, so the content is out before it is known to be right. A digest that differs, a
signature over something else, or, where neither proves the content, fewer bytes than the size says, is a StreamError. The size was
taken before the content: a file that grew or shrank while it was read has another one, and is what was read.
"""

from __future__ import annotations

from collections.abc import Iterator

from filed.errors import KeysError, StreamError
from filed.job.decode.known import NOTHING_KNOWN, KnownEntries
from filed.pipeline import Checked, Decoder, Signed
from filed.pipeline.reverse import Piece
from filed.wire.attributes import Attributes, FileType, decode_stat
from filed.wire.stream import (
    DATA_STREAMS,
    DIGEST_STREAMS,
    ENCRYPTED_STREAMS,
    SPARSE_STREAMS,
    Buffer,
    Stream,
    StreamFlag,
    same_layout,
)

_BY_A_KNOWN_SIGNER = (Signed.VALID, Signed.WEAK)
_OFFSETS = int(StreamFlag.OFFSETS)  # a plain int: an IntFlag in `&` costs a microsecond
_SIZED = (FileType.REGULAR, FileType.EMPTY)


class StoredFile:
    """The data, digest and signature records of one entry. size: st_size as saved, None when it was not known.

    attributes: with the FileIndex of its records. known: what a catalog has of the entry. of_plugin: its data may lie anywhere.
    """

    def __init__(
        self,
        decoder: Decoder,
        attributes: Attributes,
        known: KnownEntries = NOTHING_KNOWN,
        *,
        of_plugin: bool = False,
    ) -> None:
        self._content = decoder.entry(attributes.file_index)
        self._attributes = attributes
        stat = decode_stat(attributes.lstat)
        self.size = stat.size if stat.size >= 0 else None
        self._entries, self._digest_record = known, b""
        self._data_stream = stat.data_stream if known.has(attributes.file_index) else 0
        self._of_plugin = of_plugin
        self._known = decoder.keyring
        self._signed: Signed | None = None
        self._has_data = self._in_clear = self._has_addresses = False
        self._proved = False
        self._damaged = False
        self.unproved = ""  # what is stored to prove the content, and could not be looked at

    def damaged(self) -> None:
        """Something of the Volume was skipped while this file was read: only a proof tells that nothing is missing."""
        self._damaged = True

    @property
    def length(self) -> int:
        """Where the content ends, by now."""
        return self._content.length

    def record(self, word: int, kind: int, data: Buffer) -> Iterator[Piece]:
        """Take one record; what is neither data, digest nor signature is let pass. Take all that is yielded.

        Raises StreamError when the stored data is not what it claims to be.
        """
        if kind in DATA_STREAMS:
            self._check_layout(word, kind)
            self._has_data = True
            self._in_clear |= kind not in ENCRYPTED_STREAMS
            yield from self._content.feed(word, data)
        elif kind == Stream.ENCRYPTED_SESSION_DATA:
            self._content.session(data)
        elif kind in DIGEST_STREAMS:
            self._digest_record = bytes((kind,)) + data
            yield from self._content.finish()
            checked = self._content.check(word, data)
            if checked is Checked.DIFFERENT:
                raise StreamError(checked.value, kind, self._attributes.file_index)
            self._proved |= checked is Checked.SAME
            if checked is Checked.UNCHECKED:
                self.unproved = f"digests could not be checked: {checked.value}"
        elif kind == Stream.SIGNED_DIGEST:
            yield from self._content.finish()
            signed = self._signed = self._content.verify(data)
            if signed is Signed.INVALID:
                raise StreamError(Signed.INVALID.value, kind, self._attributes.file_index)
            self._proved |= signed in _BY_A_KNOWN_SIGNER
            if signed is Signed.WEAK:
                self.unproved = f"signatures prove little: {signed.value}"
            elif signed is not Signed.VALID:
                self.unproved = f"signatures could not be checked: {signed.value}"

    def finish(self) -> Iterator[Piece]:
        """The last content. Then the size is checked: without a digest it is all there is to tell a file cut short."""
        yield from self._content.finish()
        if not self._entries.has_digest(self._attributes.file_index, self._digest_record):
            text = "its digest is not the one in the catalog: the Volume or the catalog was changed"
            raise StreamError(text, Stream.FILE_DATA, self._attributes.file_index)
        self._refuse_unauthentic()
        if self._proved or self.size is None or self._attributes.type not in _SIZED:
            return
        if self._damaged:
            text = "a part of it may lie where the Volume is damaged, and nothing proves that all is there"
            raise StreamError(text, Stream.FILE_DATA, self._attributes.file_index)
        if self._content.length < self.size:
            text = f"{self._content.length:,} bytes are stored of {self.size:,}"
            raise StreamError(text, Stream.FILE_DATA, self._attributes.file_index)

    def _check_layout(self, word: int, kind: int) -> None:
        """Where the parts of the content belong: no digest and no signature covers that. HOT."""
        self._has_addresses |= kind in SPARSE_STREAMS or word & _OFFSETS != 0
        if self._data_stream and (
            not same_layout(self._data_stream, kind) or (word & _OFFSETS and not self._of_plugin)
        ):
            text = "its data is of another kind than it was saved with: the Volume or the catalog was changed"
            raise StreamError(text, kind, self._attributes.file_index)

    def _refuse_unauthentic(self) -> None:
        """Where keys were given: anyone who can write a Volume can take signature and encryption off a file."""
        if not self._has_data and self._attributes.type not in _SIZED:
            return
        if self._known.signed and self._signed not in _BY_A_KNOWN_SIGNER:
            why = "it has no signature" if self._signed is None else self._signed.value
            text = f"nothing proves who saved it: {why}"
        elif self._known.signed and self._has_addresses:
            text = "nothing proves where its parts belong: a signature does not cover the addresses of sparse data"
        elif self._known.encrypted and self._in_clear:
            text = "it is stored in the clear, where only encrypted content is accepted"
        else:
            if self._signed is None and (self._known.pairs or self._known.signers):
                self.unproved = "files without a signature are taken as they are: nothing proves who saved them"
            return
        raise KeysError(text, Stream.SIGNED_DIGEST, self._attributes.file_index)
