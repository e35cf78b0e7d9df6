"""One selected entry as records: attributes, data, ACL, xattr, digest.

FileIndex counts from 1 and rises with each attributes record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from filed.agents import Entry, Page
from filed.agents.abi import AgentStream, Change, EntryType, Status
from filed.catalog import BaseRow
from filed.errors import ItemError, printable
from filed.fileset import Options
from filed.job.agents.instance import Lister
from filed.job.context import Counters, Messages
from filed.job.encode.attributes import (
    HAS_SIZE,
    Meta,
    encode_entry_extended,
    encode_entry_stat,
    looked_for,
    meta_records,
    wire_type,
)
from filed.job.encode.options_plan import DATA_BIT, OptionsPlan, OptionsPlans
from filed.job.encode.reader import MAX_OBJECT_BYTES, Reading, object_too_long
from filed.job.encode.spool import Quota
from filed.job.encode.streams import Opened, Streams
from filed.job.select.chosen import FAILED, Chosen
from filed.job.select.hard_links import First, HardLinks, Inode, PassedName, shared_inode
from filed.pipeline import RecordQueue
from filed.process.outcome import Severity
from filed.wire.attributes import NULL_EXTENDED, UPDATE_DELTA, FileType, Stat, decode_stat, encode_stat, pack_attributes
from filed.wire.plugin_name import pack_plugin_end, pack_plugin_start
from filed.wire.restore_object import RestoreObject, pack_restore_object
from filed.wire.stream import Buffer, Stream

DIRECTORY = int(FileType.DIRECTORY)
WITHOUT_CONTENT = (EntryType.DIRECTORY, EntryType.SYMLINK)
FILESYSTEM = b"filesystem"  # in the restore objects of agents of plain files


class EntryEncoder:
    """What the instances of one Job send, one after the other, into one queue of records.

    links: notes which names of an inode are sent.  sent_after_all: called with the path of a name that was passed over, and
    is sent since another name of its inode is.  sent_before: by an earlier run of the Job; FileIndexes go on behind it.
    spool: a directory for what is read ahead.
    """

    def __init__(
        self,
        queue: RecordQueue,
        plans: OptionsPlans,
        links: HardLinks,
        *,
        messages: Messages,
        counters: Counters,
        sent_after_all: Callable[[bytes], None] = lambda _path: None,
        sent_before: int = 0,
        spool: Path | None = None,
    ) -> None:
        self._messages, self._counters = messages, counters
        self._queue, self._plans, self._links = queue, plans, links
        self._sent_after_all = sent_after_all
        self._reading = Reading(queue, counters.read, counters.show)
        self._streams = Streams(self._reading, Quota(spool))
        self._next = sent_before + 1
        self._command = b""  # of the instance at work
        self._named = 0  # FileIndex of the plugin-name record that is open
        self._objects = 0
        self._passed_over: list[PassedName] = []  # other names of the inode at hand, to be sent behind it
        self.on_incomplete: Callable[[int], None] = lambda _index: None  # told when a file could not be read to its end
        self.on_entry: Callable[[int, Options], None] | None = None  # told which FileIndex an entry will have
        self._awaited: dict[int, Inode] = {}  # first names whose digest has not gone out yet
        self._put = queue.put

    # -- what is not an entry of a page -------------------------------------------------------------------------

    @property
    def sent(self) -> int:
        """How many entries have gone out."""
        return self._next - 1

    def deleted(self, row: BaseRow) -> None:
        was = decode_stat(row.lstat)
        lstat = encode_stat(Stat(mtime=was.mtime, ctime=was.ctime, data_stream=Stream.FILE_DATA))
        record = pack_attributes(self._next, FileType.DELETED, row.path, lstat)
        self._put(self._next, Stream.UNIX_ATTRIBUTES, record)
        self._next += 1
        self._counters.deleted()

    def passed_over(self, item: Chosen) -> None:
        inode = shared_inode(item.entry, item.options)
        if inode is not None:
            lstat = encode_entry_stat(item.entry, self._plans.of(item.options).data_stream)
            self._links.passed(inode, PassedName(item.path, lstat, encode_entry_extended(item.entry)))

    def take_over(self, rows: Iterable[BaseRow]) -> None:
        """After the last instance: what the Job has of its Base Jobs, as marks for the Director's catalog."""
        count = size = 0
        for row in rows:
            self._put(
                self._next, Stream.UNIX_ATTRIBUTES, pack_attributes(self._next, FileType.BASE, row.path, row.lstat)
            )
            self._next += 1
            count += 1
            size += max(0, decode_stat(row.lstat).size)
        self._counters.files(count)
        if count:
            self._messages.info(f"{count:,} files of {size:,} bytes are as in the Base Jobs, and were not sent")

    def object(self, make: Callable[[int], RestoreObject]) -> None:
        """One restore object; `make` gets its FileIndex."""
        self._put(self._next, Stream.RESTORE_OBJECT, pack_restore_object(make(self._next)))
        self._next += 1

    def digest_sent(self, file_index: int, stream: int, digest: bytes) -> None:
        """Called for each digest record as it leaves: hard links carry a copy of it."""
        inode = self._awaited.pop(file_index, None)
        if inode is not None:
            self._links.note_digest(inode, stream, digest)

    def ahead(self, lister: Lister, page: Page, entries: Iterable[tuple[Entry, Chosen, OptionsPlan]]) -> None:
        """These come next: what of them is read stream by stream may be read from now on."""
        if lister.job.parallel:
            wanted = [entry.cookie for entry, chosen, plan in entries if _streamed_for_sure(page, entry, chosen, plan)]
            self._streams.ahead(lister.job, wanted)

    def ahead_done(self) -> None:
        """All of them have been sent."""
        self._streams.page_done()

    # -- one entry ------------------------------------------------------------------------------------------------

    def item(  # noqa: PLR0917  each is one of the parts that meet here
        self, lister: Lister, page: Page, entry: Entry, chosen: Chosen, plan: OptionsPlan, packed: Buffer | None
    ) -> None:
        """Send one entry; what goes wrong with it alone is reported and counted."""
        if entry.flags & FAILED:  # its message is out
            if entry.change != Change.DELETED:  # it went away since it was listed: the next Job will see that
                self._counters.failed()
                lister.not_saved(chosen.entry, chosen.path)
            return
        self._command = lister.command
        try:
            if entry.type == EntryType.OBJECT:
                self._restore_object(lister, page, entry, chosen.path)
            else:
                self._entry(lister, page, entry, chosen, plan, packed)
        except ItemError as error:
            self._messages.entry_error(error, str(error))
            lister.not_saved(chosen.entry, chosen.path)
        if self._named:
            self._plugin_end()

    def _entry(  # noqa: PLR0917  as above
        self, lister: Lister, page: Page, entry: Entry, chosen: Chosen, plan: OptionsPlan, packed: Buffer | None
    ) -> None:
        path = chosen.path
        if self.on_entry is not None:
            self.on_entry(self._next, chosen.options)
        inode = shared_inode(entry, chosen.options) if entry.nlink > 1 else None
        if inode is not None:
            first = self._links.first(inode)
            if first is not None:
                lstat = encode_entry_stat(entry, plan.data_stream, first.file_index)
                self._link(inode, first, path, lstat, encode_entry_extended(entry))
                return
        if chosen.without_content:
            self._new_attributes(entry, chosen, plan)
            return
        meta = meta_records(page, entry) if entry.tlv_len else []
        streams = entry.streams & plan.streams(entry)
        link = page.link(entry) if entry.link_len else b""
        if not streams & DATA_BIT:
            if (rule := _without_content(entry)) is not None:
                self._contradiction(lister, path, rule)
            file_index = self._attributes(entry, path, plan, link, with_data=False)
            self._first_name(lister, inode, file_index, chosen, digested=False)
            for stream, data in meta:
                self._put(file_index, stream, data)
        elif (inline := page.inline(entry)) is not None:
            self._is_whole(lister, path, entry, _announced(entry, None), len(inline), at_once=True)
            entry = entry._replace(size=len(inline)) if entry.size != len(inline) else entry
            file_index = self._attributes(entry, path, plan, link, with_data=True)
            self._first_name(lister, inode, file_index, chosen, digested=plan.digested)
            plan.encoder.small(file_index, inline, meta, packed=packed)
            self._counters.read(len(inline))
        else:
            file_index = self._streamed(lister, entry, chosen, plan, link, meta, inode)
        if inode is not None:
            for passed in self._passed_over:
                self._sent_after_all(passed.path)
                stat = decode_stat(passed.lstat)._replace(link_fi=file_index)
                self._link(inode, First(file_index, path), passed.path, encode_stat(stat), passed.extended)

    def _attributes(self, entry: Entry, path: bytes, plan: OptionsPlan, link: bytes, *, with_data: bool) -> int:
        file_index = self._next
        lstat = encode_entry_stat(entry, plan.data_stream if with_data else plan.plain_stream)
        kind = wire_type(entry, with_data=with_data)
        asked = looked_for(plan.streams(entry) & entry.streams) if kind == DIRECTORY else b""
        record = pack_attributes(file_index, kind, path, lstat, link, encode_entry_extended(entry, asked))
        if self._command:
            self._plugin_start()
        self._put(file_index, Stream.UNIX_ATTRIBUTES, record)
        self._next = file_index + 1
        self._counters.files()
        return file_index

    def _new_attributes(self, entry: Entry, chosen: Chosen, plan: OptionsPlan) -> None:
        """Attributes of content that an earlier Job has, with its digest."""
        assert chosen.check is not None
        file_index = self._next
        lstat = encode_entry_stat(entry, plan.data_stream)
        record = pack_attributes(file_index, FileType.REGULAR, chosen.path, lstat, b"", NULL_EXTENDED, UPDATE_DELTA)
        self._put(file_index, Stream.UNIX_ATTRIBUTE_UPDATE, record)
        self._put(file_index, chosen.check.stream, chosen.check.digest)
        self._next = file_index + 1
        self._counters.files()

    def _streamed(  # noqa: PLR0917  each is one of the parts that meet here
        self,
        lister: Lister,
        entry: Entry,
        chosen: Chosen,
        plan: OptionsPlan,
        link: bytes,
        meta: Meta,
        inode: Inode | None,
    ) -> int:
        """Send an entry whose data is read piece by piece. Returns its FileIndex.

        Raises ItemError before the attributes are out when it cannot be opened. When reading breaks later, the entry
        stands on the Volume without digest and signature, is reported, counted, and saved again by the next Job.
        """
        opened = self._streams.open(lister.job, entry.cookie)
        size = opened.size
        announced = _announced(entry, size)
        how, length = Status.E_FAIL, 0
        try:
            if size is None and not entry.size and entry.type == EntryType.REGULAR:  # no more than what was known
                entry = entry._replace(valid=entry.valid & ~HAS_SIZE)
            elif size is not None and size != entry.size:
                entry = entry._replace(size=size)
            file_index = self._attributes(entry, chosen.path, plan, link, with_data=True)
            digested = entry.type != EntryType.FIFO  # as real daemons have it
            item = plan.encoder.entry(file_index, digested=digested)
            try:
                length = opened.pull(item.data)
                how = Status.OK
            except ItemError as error:
                how = Status.E_IO
                self._messages.entry_error(error, str(error))
                lister.not_saved(chosen.entry, chosen.path)
        finally:
            changed = self._close(opened, how)
        for stream, data in meta:
            item.meta(stream, data)
        if how is Status.OK:
            self._first_name(lister, inode, file_index, chosen, digested=digested and plan.digested)
            item.finish(length)
            if not changed:
                self._is_whole(lister, chosen.path, entry, announced, length)
        else:
            self._first_name(lister, inode, file_index, chosen, digested=False)
            item.abandon()
            self._queue.flush()
            self.on_incomplete(file_index)
        if changed:
            self._messages.about_entry(Severity.ERROR, changed)
        return file_index

    def _is_whole(
        self, lister: Lister, path: bytes, entry: Entry, announced: int, length: int, *, at_once: bool = False
    ) -> None:
        """Content that is shorter than its agent announced was cut, unless the agent says that the file changed.

        at_once: size and content came together, so that there can be no more of it, either.
        """
        if (length < announced or (at_once and 0 < announced < length)) and entry.type == EntryType.REGULAR:
            self._contradiction(lister, path, f"{announced:,} bytes were announced and {length:,} came")

    def _contradiction(self, lister: Lister, path: bytes, what: str) -> None:
        """An agent says one thing and does another."""
        self._messages.about_entry(Severity.WARNING, f"agent {lister.job.label}: {printable(path)}: {what}")

    def _close(self, opened: Opened, how: Status) -> str:
        """Close the stream. Returns what to say when the file changed while it was read."""
        try:
            opened.close(how)
        except ItemError as changed:
            return str(changed)
        return ""

    # -- entries of plugins ---------------------------------------------------------------------------------------

    def _plugin_start(self) -> None:
        """Ahead of an attributes record: the agent it belongs to."""
        if self._named:
            self._plugin_end()
        self._named = self._next
        self._put(self._named, Stream.PLUGIN_NAME, pack_plugin_start(self._named, self._command))

    def _plugin_end(self) -> None:
        named, self._named = self._named, 0
        self._put(named, Stream.PLUGIN_NAME, pack_plugin_end(named))

    def _restore_object(self, lister: Lister, page: Page, entry: Entry, path: bytes) -> None:
        """Bytes without a file, which the agent gets back before its files. Never compared with a base."""
        content = next((data for stream, data in page.tlvs(entry) if stream == AgentStream.OBJECT), None)
        if content is None:
            content = self._reading.object(lister.job, entry, path)
        elif len(content) > MAX_OBJECT_BYTES:
            raise object_too_long(path)
        else:
            self._counters.read(len(content))
        command = self._command or FILESYSTEM
        if self._command:
            self._plugin_start()
        item = RestoreObject(self._next, FileType.RESTORE_FIRST, self._objects, command, path, content)
        self._put(self._next, Stream.RESTORE_OBJECT, pack_restore_object(item))
        self._next += 1
        self._objects += 1

    # -- hard links -----------------------------------------------------------------------------------------------

    def _link(self, inode: Inode, first: First, path: bytes, lstat: bytes, extended: bytes) -> None:
        """One more name of an inode that this Job has saved: its link record, and a copy of the digest."""
        if first.file_index in self._awaited:
            self._queue.flush()
        file_index = self._next
        record = pack_attributes(file_index, FileType.HARD_LINK, path, lstat, first.path, extended)
        if self._command:
            self._plugin_start()
        self._put(file_index, Stream.UNIX_ATTRIBUTES, record)
        self._next = file_index + 1
        self._counters.files()
        digest = self._links.digest(inode)
        if digest is not None:
            self._put(file_index, *digest)
        self._links.linked(inode)

    def _first_name(
        self, lister: Lister, inode: Inode | None, file_index: int, chosen: Chosen, *, digested: bool
    ) -> None:
        """Remember under which name an inode is saved. Before its digest goes out, which may be at once."""
        if inode is not None:
            self._passed_over = []
            if self._links.doubted(inode):
                return
            if other := self._links.other(inode):
                text = f"one inode with {printable(other)}, and another size, time or kind: stored as a file of its own"
                self._contradiction(lister, chosen.path, text)
                self._links.doubt(inode)
                return
            passed = self._links.saved(inode, file_index, chosen.path)
            if len(passed) >= inode.nlink:
                text = (
                    f"one inode with more names than the {inode.nlink} it is said to have: stored as a file of its own"
                )
                self._contradiction(lister, chosen.path, text)
                self._links.doubt(inode)
                return
            self._passed_over = passed
            if digested:
                self._awaited[file_index] = inode


def _announced(entry: Entry, size: int | None) -> int:
    """The most that was said of the length of an entry: when it was listed or fetched, and by open_stream."""
    return max(entry.size if entry.valid & HAS_SIZE else 0, size or 0)


def _streamed_for_sure(page: Page, entry: Entry, chosen: Chosen, plan: OptionsPlan) -> bool:
    """Of a file with several names it is not sure that this one is read."""
    if entry.flags & FAILED or chosen.without_content or entry.nlink > 1 or entry.type == EntryType.OBJECT:
        return False
    return bool(entry.streams & plan.streams(entry) & DATA_BIT) and page.inline(entry) is None


def _without_content(entry: Entry) -> str | None:
    """What is odd about an entry whose content is not asked for; None when nothing is."""
    offers = entry.streams & DATA_BIT
    if entry.type == EntryType.REGULAR and not offers:
        if not entry.valid & HAS_SIZE:
            return "a regular file without size and content: stored as an empty one"
        if entry.size:
            return f"a size of {entry.size:,} bytes, and no content: stored without"
    if offers and entry.type in WITHOUT_CONTENT:
        return f"a {EntryType(entry.type).name.lower()} with content, which cannot be stored: is it a regular file?"
    return None
