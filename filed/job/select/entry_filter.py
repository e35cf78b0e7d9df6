"""Which entries of an agent's pages a Job wants, and what of its base is gone. A backup sends them, an estimate counts them.

page of entries -> FileSet (file by file) -> Selection (changed?) -> hard links (is another name of the inode saved?)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from filed.agents import Entry, Page
from filed.agents.abi import Attr, Change, EntryFlag, EntryType, Has
from filed.catalog import BaseRow
from filed.errors import printable
from filed.fileset import Options
from filed.fileset.match import Matcher
from filed.fileset.strip import prefix_of_stripped, stripped
from filed.job.agents.instance import SELECTED, Lister
from filed.job.context import Counters, Messages
from filed.job.select.chosen import FAILED, Chosen, stored_path
from filed.job.select.doubts import Doubts
from filed.job.select.hard_links import HardLinks, shared_inode
from filed.job.select.selection import Everything, Selection
from filed.job.select.taken_names import TakenNames
from filed.process.outcome import Severity
from filed.storage import FileId

# Plain ints: an IntFlag in `&` costs a microsecond an entry.
TOP = int(EntryFlag.TOP)
HAS_INO = int(Has.INO)
NODUMP = int(Attr.NODUMP)
OBJECT_OPTIONS = Options()
_FORMAT = re.compile(rb":\d+:")


@dataclass(frozen=True, slots=True)
class Choice:
    """Of one page. deleted: what its agent's journal says is gone, to be sent ahead of the chosen, which may have taken the name.

    passed_over: unchanged names of an inode that other names share; they are sent after all when one of those is.
    """

    chosen: list[Chosen]
    passed_over: list[Chosen]
    deleted: Iterable[BaseRow] = ()


class EntryFilter:
    """The choice of one Job, page by page, in the order the instances list; its deletions at the end.

    own: device and inode of the files that the Job itself writes.
    lists: File lines come from lists, and may be others than in the base.
    links: which inodes were saved, as those note there who save them.  taken: names that more than one instance may list.
    """

    def __init__(
        self,
        selection: Selection,
        links: HardLinks,
        taken: TakenNames,
        messages: Messages,
        counters: Counters,
        *,
        own: Callable[[], frozenset[FileId]] = frozenset,
        lists: bool = False,
    ) -> None:
        self._messages, self._counters = messages, counters
        self._selection = selection
        self._links, self._taken = links, taken
        self._lister: Lister | None = None  # whose names are noted
        self._ended: list[_Ended] = []
        self._own = own
        self._lists = lists
        self._met_own = False
        self._listing: tuple[Lister, Doubts] | None = None  # the instance at work
        self._failed = self._failed_tops = self._looked_at = 0

    def page(self, lister: Lister, page: Page) -> Choice:
        """Those of a page that the FileSet takes and the Selection wants. What an agent could not look at is counted."""
        doubts = self._doubts_about(lister)
        if len(page):
            doubts.page(page)
        if (unchanged := self._sifted(lister, page, doubts)) is not None:
            doubts.unchanged = True
            self._looked_at += unchanged.count(1)
            page = page.without(unchanged)
        selection, matcher = self._selection, lister.matcher
        paths = [stored_path(name, entry.type) for entry, name in page]
        chosen: list[Chosen] = []
        passed_over: list[Chosen] = []
        deleted: list[BaseRow] = []
        trees: list[bytes] = []
        if len(set(paths)) != len(paths):
            self._listed_twice(lister, page, paths)
        rows = selection.lookup(paths)
        own = self._own()
        for entry, path, row in zip(page.entries, paths, rows, strict=True):
            if entry.flags & FAILED:
                for count in matcher.strips | {0}:  # whichever name was stored is not deleted
                    selection.failed(stripped(path, count))
                lister.not_saved(entry, path)
                doubts.failed(path)
                self._counters.failed()
                self._failed += 1
                self._failed_tops += bool(entry.flags & TOP)
                continue
            self._looked_at += 1
            if entry.valid & HAS_INO and (entry.dev, entry.ino) in own:
                self._leave_out_own(path)
                continue
            if entry.change:
                old = path if entry.change == Change.DELETED else stored_path(page.old_name(entry), entry.type)
                deleted += self._no_longer(matcher, entry, old)
                if entry.type in (EntryType.DIRECTORY, 0):
                    trees.append(old.rstrip(b"/") + b"/")
                if entry.change == Change.DELETED:
                    continue
            if entry.type == EntryType.OBJECT:
                chosen.append(Chosen(entry, path, OBJECT_OPTIONS))  # no pattern is about objects
                continue
            options = _options_of(matcher, entry, path)
            if options is None or (lister.shared and path.startswith(lister.shared) and self._taken.has(path)):
                continue
            if options.larger_than and entry.size > options.larger_than and _may_be_too_large(entry):
                continue
            if options.strip_path:
                path = stripped(path, options.strip_path)  # noqa: PLW2901  the name from here on
                (row,) = selection.lookup([path])  # noqa: PLW2901
            selection.seen(row)
            if entry.flags & SELECTED or selection.wants(entry, row, options):
                same = None if lister.command else selection.same_content(entry, row, options)
                chosen.append(Chosen(entry, path, options, row, same))
            elif (check := selection.content_check(entry, row, options)) is not None:
                chosen.append(Chosen(entry, path, options, row, check, wanted=False))
            elif entry.nlink > 1:
                self._leave_out_name(Chosen(entry, path, options, row), chosen, passed_over)
                doubts.unchanged = True
            else:
                selection.left_out(row)
                doubts.unchanged = True
        if not lister.walks and chosen:
            self._on_two_pages(lister, chosen)
        doubts.gone(trees)
        doubts.listed(page)
        self._say(doubts)
        return Choice(chosen, passed_over, chain(deleted, self._nothing_below(trees)))

    def _sifted(self, lister: Lister, page: Page, doubts: Doubts) -> bytes | None:
        """Which entries the Selection leaves out without more ado; None: none."""
        matcher = lister.matcher
        if not (self._selection.sifts and lister.walks) or doubts.watches_trees:
            return None
        if lister.shared or matcher.strips - {0} or self._own():
            return None
        if matcher.always is not None:
            return self._selection.sift(page, matcher.always, None)
        kept = [_options_of(matcher, entry, stored_path(name, entry.type)) for entry, name in page]
        options = next((one for one in kept if one is not None), None)
        if options is None:
            return None
        return self._selection.sift(page, options, bytes(one is options for one in kept))

    def saw_nothing(self, *, full: bool) -> bool:
        """Whether there was something to look at, and none of it could be. Of less than a Full, File lines alone count."""
        return bool(self._failed if full else self._failed_tops) and not self._looked_at

    def _listed_twice(self, lister: Lister, page: Page, paths: list[bytes]) -> None:
        """Names that are on a page more than once. What is gone may have been followed by another of its name."""
        there = Counter(
            path
            for entry, path in zip(page.entries, paths, strict=True)
            if entry.change != Change.DELETED and entry.type != EntryType.OBJECT
        )
        for path, count in there.items():
            if count > 1:
                self._say_twice(lister, path, f"{count} times")

    def _on_two_pages(self, lister: Lister, chosen: list[Chosen]) -> None:
        """Names of this page and of one before, both of which are sent. What is left out as unchanged does no harm twice."""
        if lister is not self._lister:
            self._lister = lister
            self._taken.begin_instance()
        names = dict.fromkeys(item.path for item in chosen if item.entry.type != EntryType.OBJECT)
        for path in self._taken.listed_before(names):
            self._say_twice(lister, path, "on two pages")

    def _say_twice(self, lister: Lister, path: bytes, how: str) -> None:
        text = f"next_entries lists {printable(path)} {how}: a restore has the last of them"
        self._messages.about_entry(Severity.WARNING, f"agent {lister.job.label}: {text}")

    def to_check(self, chosen: list[Chosen]) -> list[Chosen]:
        """Those of a page whose content has to be read before they are sent. Another name of a saved inode has not."""
        for item in chosen:
            if item.check is not None and item.entry.nlink > 1 and self._is_saved(item):
                item.check = None
        return [item for item in chosen if item.check is not None]

    def checked(self, chosen: list[Chosen], same: set[int]) -> Choice:
        """What is left of a page. same: cookies of those checked whose content is that of the base."""
        left: list[Chosen] = []
        passed_over: list[Chosen] = []
        for item in chosen:
            if item.check is None or item.entry.cookie not in same:
                item.check = None
                left.append(item)
            elif item.wanted:
                left.append(item)
            elif item.entry.nlink > 1:
                self._leave_out_name(item, left, passed_over)
            else:
                self._selection.left_out(item.row)
        if same and self._listing is not None:
            self._listing[1].unchanged = True
        return Choice(left, passed_over)

    def _leave_out_own(self, path: bytes) -> None:
        if not self._met_own:
            self._met_own = True
            where = printable(path.rpartition(b"/")[0] or b"/")
            self._messages.info(
                f"{where} holds the Volumes and the catalog of this backup: they are not saved into themselves"
            )

    def listed(self, lister: Lister, named: int) -> None:
        """An instance has ended. named: how many entries its pages had."""
        doubts = self._doubts_about(lister)
        doubts.ended(named=named, full=isinstance(self._selection, Everything))
        self._say(doubts)
        reach = tuple(
            prefix_of_stripped(prefix, count) for count in lister.matcher.strips | {0} for prefix in lister.prefixes
        )
        self._ended.append(_Ended(lister, reach, named, doubts))

    def deletions(self) -> Iterator[BaseRow]:
        """After the last instance: what the base has of those that listed all their names, and nobody saw.

        What an instance did not list says nothing about the names of another. Where two of them may have the name, both must
        have listed everything.
        """
        if not any(one.lister.job.complete for one in self._ended):
            return  # those with a journal have named what is gone: the base need not be gone through
        for row in self._selection.deleted():
            owners = self._owners(row)
            if owners and all(one.lister.job.complete for one in owners):
                yield row
                for one in owners:
                    one.gone += 1
        for one in self._ended:
            one.doubts.deleted(one.gone, named=one.named, continued=one.lister.continued)
            self._say(one.doubts)

    def _doubts_about(self, lister: Lister) -> Doubts:
        if self._listing is None or self._listing[0] is not lister:
            self._listing = lister, Doubts(lister)
        return self._listing[1]

    def _say(self, doubts: Doubts) -> None:
        for text in doubts.warnings:
            self._messages.warning(text)
        doubts.warnings.clear()

    def _owners(self, row: BaseRow) -> list[_Ended]:
        """The instances whose entry it may be: those that it was saved by, or else those whose File lines or claims say most of it.

        What a list named, and names no more, was a plain file of any of those that have files.
        """
        reached = [(one.reaches(row.path), one) for one in self._ended]
        there = [(length, one) for length, one in reached if length >= 0]
        command = self._selection.command(row)
        if command is not None and (own := [one for _, one in there if _same_owner(one.lister.command, command)]):
            return own
        if not there and self._lists and command == b"":
            return [one for one in self._ended if not one.lister.command]
        longest = max((length for length, _ in there), default=0)
        nearest = {one.lister.command for length, one in there if length == longest}
        return [one for _, one in there if one.lister.command in nearest]

    def _leave_out_name(self, item: Chosen, chosen: list[Chosen], passed_over: list[Chosen]) -> None:
        """Of an unchanged entry with several names: it is sent anyway where another of them was."""
        if shared_inode(item.entry, item.options) is None:
            self._selection.left_out(item.row)
        elif self._is_saved(item):
            chosen.append(item)
        else:
            passed_over.append(item)
            self._selection.left_out(item.row)

    def _is_saved(self, item: Chosen) -> bool:
        """Whether this Job has sent another name of the inode."""
        inode = shared_inode(item.entry, item.options)
        return inode is not None and self._links.first(inode) is not None

    def _no_longer(self, matcher: Matcher, entry: Entry, old: bytes) -> Iterator[BaseRow]:
        """What a journal's entry takes away: DELETED its name, RENAMED its old one, as far as the base has it.

        Where there is no list of the base, what the FileSet takes.
        """
        # Of what is gone, the kind may be lost.
        names = [old] if entry.type or old.endswith(b"/") else [old, old + b"/"]
        options = _options_of(matcher, entry, old)
        if options is not None and options.strip_path:
            names = [stripped(name, options.strip_path) for name in names]
        for name, found in zip(names, self._selection.lookup(names), strict=True):
            row = self._selection.gone(name) if found is None and options is not None else found
            if row is not None:
                self._selection.seen(row)
                yield row

    def _nothing_below(self, trees: list[bytes]) -> Iterator[BaseRow]:
        """What the base has below directories that are gone, and this Job has not listed.

        A million names may be: one is looked up when the one before was sent.
        """
        for tree in trees:
            for row in self._selection.below(tree):
                self._selection.seen(row)
                yield row


@dataclass(slots=True)
class _Ended:
    """An instance that has listed what it has. prefixes: its names are at or below these.  gone: of the base, marked deleted."""

    lister: Lister
    prefixes: tuple[bytes, ...]
    named: int
    doubts: Doubts
    gone: int = 0

    def reaches(self, path: bytes) -> int:
        """How long the longest of its prefixes is that the path is at or below; -1: it is below none."""
        return max((len(prefix.rstrip(b"/")) for prefix in self.prefixes if _is_at_or_below(path, prefix)), default=-1)


def _options_of(matcher: Matcher, entry: Entry, path: bytes) -> Options | None:
    nodump = bool(entry.attrs & NODUMP)
    if entry.flags & TOP:
        return matcher.top_entry
    if entry.type == EntryType.DIRECTORY:
        return matcher.directory_entry(path.rstrip(b"/") or b"/", nodump)
    return matcher.file(path, nodump)


def _may_be_too_large(entry: Entry) -> bool:
    """A File line's own entry is never left out."""
    return entry.type == EntryType.REGULAR and not entry.flags & TOP


def _is_at_or_below(path: bytes, prefix: bytes) -> bool:
    prefix = prefix.rstrip(b"/")
    return path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in (b"", b"/")


def _same_owner(one: bytes, other: bytes) -> bool:
    """Of two commands of plugin-name records: are they of the same agent and line? The format's number may differ."""
    return _FORMAT.sub(b":", one, count=1) == _FORMAT.sub(b":", other, count=1)
