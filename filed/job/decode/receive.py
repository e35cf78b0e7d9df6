"""The main line of a restore: records in, entries out to the agents.

An entry begins with its attributes record and ends where the next one begins. Digest and signature stand behind the data, so the
agent is told at the end whether what it wrote is right: with a mismatch it must not let the file look good.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from filed.agents import BY_PAGE, Action, AgentStream, Entry, EntryType, Has, Status
from filed.agents import Replace as AgentReplace
from filed.errors import AgentLoadError, ItemError, JobError, StreamError, printable
from filed.job.agents.restorers import Restorer, Restorers
from filed.job.agents.spot_check import CHECKED
from filed.job.context import Counters, Messages
from filed.job.decode.attribute_update import WITH_CONTENT, extended_attributes, update_attributes
from filed.job.decode.attributes import entry_to_restore
from filed.job.decode.batches import Batch, Damaged, Gathering
from filed.job.decode.destination import Destination, Part
from filed.job.decode.entry_on_its_way import MAX_META_BYTES, EntryOnItsWay
from filed.job.decode.known import check_attributes
from filed.job.decode.stored_file import StoredFile
from filed.job.decode.whole_entries import NOT_RESTORED, WholeEntries
from filed.job.decode.written import Written
from filed.job.description import NetworkRestore, Replace, RestoreJob
from filed.pipeline import Decoder, Digest
from filed.process.status_page import StatusPage
from filed.process.system import name_of
from filed.volume import Session
from filed.wire.attributes import Attributes, attributes_of, decode_stat
from filed.wire.plugin_name import parse_plugin_name
from filed.wire.restore_object import RestoreObject
from filed.wire.stream import ATTRIBUTE_STREAMS, Buffer, Stream, stream_type

HAS_SIZE = int(Has.SIZE)


class Receiving:
    """Gives the records of one restore to the agents they belong to."""

    def __init__(
        self,
        decoder: Decoder,
        restorers: Restorers,
        job: RestoreJob | NetworkRestore,
        *,
        messages: Messages,
        counters: Counters,
        status_page: StatusPage,
    ) -> None:
        self._messages, self._counters, self._status_page = messages, counters, status_page
        self._decoder = decoder
        self._restorers = restorers
        self._where, self._replace, self._began = name_of(job.where), job.replace, time.time()
        self._command = b""
        self._destination: Destination | None = None
        self._item: EntryOnItsWay | None = None
        self._update: tuple[Attributes, dict[bytes, bytes]] | None = (
            None  # a metadata-only record, and what came behind it
        )
        self._objects: dict[bytes, list[RestoreObject]] = {}  # of this Job, by command, not yet handed over

    def begin(self, part: Part, objects: Iterable[RestoreObject] = ()) -> None:
        """The records that follow are those of this Job.

        objects: of its agents; each gets its own before its first file, also for a few paths alone.
        """
        self._destination, self._command = Destination(self._where, part), b""
        if part.known.count and part.known.count >= part.file_indexes.count:
            self._decoder.know(part.known.digests)
        else:
            self._decoder.digests.need(part.known.digests)
        self._objects = {}
        for item in objects:
            self._objects.setdefault(item.command, []).append(item)

    def objects(self) -> None:
        """Hand over all that is left of them: the whole Job is restored, entries or not."""
        for command in tuple(self._objects):
            try:
                restorer = self._restorers.of(command)
            except AgentLoadError as unknown:
                self._messages.warning(f"restore objects of {printable(command)} are left out: {unknown}")
                del self._objects[command]
            else:
                self._hand_over(restorer, command)

    def parents(self, directories: Iterable[Attributes]) -> None:
        """Directories above what was chosen. Those that had to be made get what they had; the others stay as they are."""
        assert self._destination is not None
        for attributes in directories:
            job = self._restorers.of(b"").job
            name, _, dest = self._destination.names(attributes)
            try:
                action = job.restore_entry(entry_to_restore(attributes), name, dest, AgentReplace.NEVER)
                if action in (Action.CREATED, Action.WANT):
                    job.restore_done(Status.OK)
            except ItemError as error:
                self._messages.entry_error(error, _about(attributes.path, error))

    def gathering(self) -> Gathering:
        """Of the records that follow. Where content must be signed, each entry is looked at by itself."""
        assert self._destination is not None
        return Gathering(self._destination, by_page=BY_PAGE and self._decoder.keyring.empty)

    def take(self, batch: Batch) -> None:
        """What `Gathering` made of the records. Raises nothing about one entry: that is reported and counted."""
        if isinstance(batch, WholeEntries):
            self._finish()
            self._whole(batch)
        elif isinstance(batch, Session):
            self.end()
        elif isinstance(batch, Damaged):
            self._messages.error(batch.text)
            self.damaged()
        else:
            for word, file_index, data in batch:
                self.record(word, file_index, data)

    def record(self, word: int, file_index: int, data: Buffer) -> None:
        """Take one record. Raises nothing about one entry: that is reported and counted."""
        kind = stream_type(word)
        try:
            if kind in ATTRIBUTE_STREAMS:
                self._finish()
                attributes = attributes_of(file_index, data)
                if kind == Stream.UNIX_ATTRIBUTE_UPDATE and attributes.type in WITH_CONTENT:
                    self._begin_update(file_index, attributes)
                else:
                    self._start(file_index, attributes)
            elif kind == Stream.PLUGIN_NAME:
                self._finish()
                self._command = parse_plugin_name(data).command
            elif self._item is not None and self._item.file_index != file_index:
                self._finish()  # damage took the attributes of another entry: what is left of that one is nobody's
            elif self._item is not None:
                self._item.record(word, kind, data)
            elif self._update is not None and self._update[0].file_index == file_index:
                self._add_to_update(kind, data)
        except (ItemError, StreamError) as error:
            self._give_up(error, file_index)

    def damaged(self) -> None:
        """Something of the Volume was skipped: the entry at hand may lack a part of it."""
        if self._item is not None:
            self._item.damaged()

    def end(self) -> None:
        """The last record of this Job was given."""
        self._finish()

    # -- entries --------------------------------------------------------------------------------------------------

    def _start(self, file_index: int, attributes: Attributes) -> None:
        assert self._destination is not None
        if attributes.type in NOT_RESTORED:
            return
        part = self._destination.part
        if part.known.has(file_index) and file_index not in part.file_indexes:
            text = f"{printable(attributes.path)} is there twice: the Volume was changed"
            raise StreamError(text, Stream.UNIX_ATTRIBUTES, file_index)
        part.file_indexes.discard(file_index)  # what is left in the end was not on the Volumes
        check_attributes(part.known, file_index, attributes)
        attributes = part.renamed(attributes)
        entry = entry_to_restore(attributes)
        restorer = self._restorer()
        name, link, dest = self._destination.names(attributes)
        written = Written(dest) if self._command and entry.type == EntryType.REGULAR else None
        action = restorer.job.restore_entry(entry, name, dest, restorer.replace, link)
        if action == Action.HOST:
            written, restorer = None, self._plain(restorer)
            action = restorer.job.restore_entry(entry, name, dest, restorer.replace, link)
        if action == Action.SKIP:
            self._counters.skipped()
            return
        stored = None
        if action == Action.WANT:
            stored = StoredFile(self._decoder, attributes, part.known, of_plugin=bool(self._command))
        self._item = EntryOnItsWay(
            restorer,
            stored,
            file_index,
            attributes,
            dest=dest,
            written=written,
            known=part.known,
            messages=self._messages,
            counters=self._counters,
        )

    def _begin_update(self, file_index: int, attributes: Attributes) -> None:
        """Its content came with an earlier Job of the chain."""
        assert self._destination is not None
        part = self._destination.part
        part.file_indexes.discard(file_index)
        check_attributes(part.known, file_index, attributes, metadata_only=True)
        attributes = part.renamed(attributes)
        if self._command:
            raise ItemError(attributes.path, "a metadata-only record of a plugin, which nobody here can restore")
        self._update = attributes, {}

    def _add_to_update(self, kind: int, data: Buffer) -> None:
        assert self._update is not None
        attributes, meta = self._update
        meta.update(extended_attributes(kind, data))
        if sum(len(name) + len(value) for name, value in meta.items()) > MAX_META_BYTES:
            self._update = None
            raise StreamError(
                f"{printable(attributes.path)}: ACLs and extended attributes of more than {MAX_META_BYTES:,} bytes",
                kind,
                attributes.file_index,
            )

    def _finish_update(self) -> None:
        update, self._update = self._update, None
        if update is None:
            return
        assert self._destination is not None
        attributes, meta = update
        since = None if self._replace is Replace.ALWAYS else self._began
        dest = self._destination.names(attributes).dest
        try:
            if update_attributes(dest, self._where, decode_stat(attributes.lstat), meta, since=since):
                self._counters.files()
            else:
                self._counters.skipped()
        except ItemError as error:
            self._messages.error(_about(attributes.path, error))

    def _restorer(self) -> Restorer:
        """Of the entry at hand. It has its objects before its first file."""
        restorer = self._restorers.of(self._command)
        if self._objects:
            self._hand_over(restorer, self._command)
        return restorer

    def _plain(self, restorer: Restorer) -> Restorer:
        """Who restores what `restorer` leaves to the host."""
        plain = self._restorers.of(b"")
        if plain is restorer:
            raise JobError(
                f"agent {restorer.agent.label} leaves a file to the agent of plain files, which it is itself"
            )
        return plain

    def _whole(self, entries: WholeEntries) -> None:
        assert self._destination is not None
        missing = self._destination.part.file_indexes
        for file_index in entries.file_indexes:
            missing.discard(file_index)
        self._decoder.digests.saw(map(Digest, entries.digests))
        self._decoder.digests.count_content(entries.undigested)
        restorer = self._restorer()
        watched = self._watched(entries) if self._command else {}
        for number in self._give(restorer, entries, 0, len(entries.page)):
            watched.pop(number, None)
        for number, written in watched.items():
            written.look(restorer.job.label, entries.page.name(number), self._messages)
        self._counters.show()

    def _watched(self, entries: WholeEntries) -> dict[int, Written]:
        """Those with content, by number."""
        watched = {}
        for number in range(len(entries.page)):
            if (content := entries.page.content(number)) is not None:
                watched[number] = Written(entries.page.dest(number))
                watched[number].add(content, 0)
        return watched

    def _give(self, restorer: Restorer, entries: WholeEntries, first: int, end: int) -> list[int]:
        """Some of them, to an agent. Those that are for the host go to the agent of plain files. Returns which are not restored."""
        failed: list[int] = []
        before = restorer.job.handed
        others: set[int] = set()
        try:
            for number, error in restorer.job.restore_page(entries.page, restorer.replace, first, end):
                others.add(number)
                if error is None:
                    failed += self._give(self._plain(restorer), entries, number, number + 1)
                else:
                    failed.append(number)
                    self._messages.entry_error(error, _about(entries.page.name(number), error))
        finally:
            after = restorer.job.handed
            self._counters.files(after.restored - before.restored)
            self._counters.skipped(after.skipped - before.skipped)
            self._counters.read(after.read - before.read)
        if restorer.on_restored is not None:
            for number, (kind, mtime) in enumerate(entries.looks[first:end], first):
                if number not in others and kind in CHECKED:
                    restorer.on_restored(entries.page.dest(number), kind, mtime)
        return failed

    def _hand_over(self, restorer: Restorer, command: bytes) -> None:
        destination = self._destination
        assert destination is not None
        for item in self._objects.pop(command, ()):
            entry = Entry(type=EntryType.OBJECT, valid=HAS_SIZE, size=len(item.content))
            self._status_page.set_entry(item.name)
            try:
                dest = destination.final(item.name)
                action = restorer.job.restore_entry(entry, item.name, dest, restorer.replace)
                if action == Action.WANT:
                    restorer.job.restore_stream(AgentStream.OBJECT, len(item.content))
                    restorer.job.write(item.content, 0, last=True)
                if action in (Action.WANT, Action.CREATED):
                    restorer.job.restore_done(Status.OK)
                if action == Action.CREATED and item.content:
                    what = f"agent {restorer.agent.label} did not take the content of this restore object"
                    self._messages.error(f"{printable(item.name)}: {what}")
            except ItemError as error:
                self._messages.entry_error(error, _about(item.name, error))

    def _finish(self) -> None:
        item, self._item = self._item, None
        self._finish_update()
        if item is None:
            return
        try:
            item.finish()
            self._counters.files()
        except (ItemError, StreamError) as error:
            self._messages.entry_error(error, _about(item.attributes.path, error))
        if self._counters.totals.files % 256 == 0:
            self._counters.show()

    def _give_up(self, error: ItemError | StreamError, file_index: int) -> None:
        """What was begun is told to the agent as corrupt; the records left of this entry are dropped."""
        item, self._item = self._item, None
        if item is None and self._update is not None:
            self._messages.error(_about(self._update[0].path, error))
            return
        if item is None:
            text = str(error) if isinstance(error, ItemError) else f"FileIndex {file_index}: {error}"
            self._messages.entry_error(error, text)
            return
        self._messages.entry_error(error, _about(item.attributes.path, error))
        item.abandon()


def _about(path: bytes, error: Exception) -> str:
    text = str(error)
    name = printable(path).rstrip("/")  # of a directory, agents say the name without
    return text if name in text else f"{name}: {text}"
