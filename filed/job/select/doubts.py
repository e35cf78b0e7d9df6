"""What an instance says about its entries that cannot all be true, seen over its whole list.

Nothing here changes what is saved or marked deleted: the Job says what it saw, and ends with warnings.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from filed.agents import Page
from filed.agents.abi import Change, EntryFlag, EntryType
from filed.errors import printable
from filed.job.agents.instance import Lister
from filed.job.select.chosen import FAILED, stored_path

SELECTED = int(EntryFlag.SELECTED)
LAST_TIME = (1 << 34) - (1 << 31)  # 2446-05-10: later times do not come back from ext4
IN_FOLDERS = (0, EntryType.DIRECTORY, EntryType.OBJECT)  # 0: of what is gone
MOST_FOLDERS = 10_000
MOST_TREES = 16  # directories that are looked at; each costs a look at every name


class Doubts:
    """About one instance. say: a warning of the Job."""

    def __init__(self, lister: Lister) -> None:
        self._lister = lister
        self._beginnings = tuple(prefix.rstrip(b"/") for prefix in lister.prefixes)
        self._outside = self._late = False
        self._only_news = True  # each entry was flagged SELECTED
        self.unchanged = False  # an entry was left out, being as the base has it
        self._is_a_file_system = lister.walks
        self._folders: set[bytes] = set()  # that names were listed in
        self._file_and_folder = False
        self._failed, self._first_failed = 0, b""
        self._trees: dict[bytes, list[bool]] = {}  # said to be gone -> [something in it is listed, itself is listed]
        self.warnings: list[str] = []

    @property
    def watches_trees(self) -> bool:
        """Whether `listed` looks at pages."""
        return bool(self._trees)

    def page(self, page: Page) -> None:
        """What one page says."""
        if self._beginnings and not self._outside and not self._all_inside(page):
            self._say_outside(page)
        if (
            not self._is_a_file_system and not self._late and max(map(_mtime, page.entries)) > LAST_TIME
        ):  # files do have such times
            self._say_late(page)
        if not self._is_a_file_system and not self._file_and_folder:
            self._look_for_files_that_are_folders(page)
        if self._only_news and not all(entry.flags & SELECTED for entry in page.entries):
            self._only_news = False

    def failed(self, path: bytes) -> None:
        """An entry that the agent could not read."""
        self._failed += 1
        self._first_failed = self._first_failed or path

    def gone(self, trees: Sequence[bytes]) -> None:
        """Directories that the agent says are gone, with the slash at their ends."""
        for tree in trees[: MOST_TREES - len(self._trees)]:
            self._trees[tree] = [False, False]

    def listed(self, page: Page) -> None:
        """After `gone`: a page with what is there, perhaps in those directories."""
        if self._trees:
            there = [
                stored_path(name, entry.type)
                for entry, name in page
                if entry.change != Change.DELETED and not entry.flags & FAILED
            ]
            for tree, met in self._trees.items():
                met[0] = met[0] or any(path.startswith(tree) and path != tree for path in there)
                met[1] = met[1] or tree in there

    def ended(self, *, named: int, full: bool) -> None:
        """The list has ended."""
        if (
            full and not named and not self._lister.walks
        ):  # where a FileSet leaves all of a tree out, our own has nothing to list
            self._say("listed nothing: nothing of it is saved. Is what it saves there, and does its service run?")
        if self._failed and not self._lister.has_warned():
            first = printable(self._first_failed)
            self._say(f"could not read {self._failed:,} entries, and does not say why; the first is {first}")
        for tree, (below, itself) in self._trees.items():
            if below and not itself:
                self._say(
                    f"says that {printable(tree)} is gone, and lists what is in it: all else in it is marked deleted"
                )

    def deleted(self, count: int, *, named: int, continued: bool) -> None:
        """So many entries of the base are marked deleted, since the list was COMPLETE."""
        if not count:
            return
        if not named:  # it may be so; an agent whose service did not answer says the same
            self._say(
                f"reported a complete but empty list: the {count:,} entries of the previous"
                " backup are marked deleted. Check that its service is running"
            )
        elif not self.unchanged and ((continued and self._only_news) or (self._lister.command and count > named)):
            self._say(
                f"listed {named:,} new entries and none that is unchanged, and said COMPLETE: the {count:,} others of the"
                " previous backup are marked deleted. COMPLETE is for a list of everything"
            )

    def _look_for_files_that_are_folders(self, page: Page) -> None:
        """On one page, and among the folders of the pages before."""
        if len(self._folders) > MOST_FOLDERS:
            self._folders.clear()
        self._folders.update(name.rpartition(b"/")[0] for name in page.names)
        for name in self._folders.intersection(page.names):
            if any(one == name and entry.type not in IN_FOLDERS for entry, one in page):
                self._file_and_folder = True
                self._say(f"lists {printable(name)} as a file, and names below it: not both can be restored")
                return

    def _all_inside(self, page: Page) -> bool:
        """What lies between two names that begin alike begins so, too."""
        first, last = page.first_and_last
        return any(first.startswith(one) and last.startswith(one) for one in self._beginnings) or all(
            map(self._inside, page.names)
        )

    def _inside(self, name: bytes) -> bool:
        return name.startswith(self._beginnings)

    def _say_outside(self, page: Page) -> None:
        for entry, name in page:
            if entry.type != EntryType.OBJECT and not self._inside(name):
                self._outside = True
                where = ", ".join(printable(one or b"/") for one in self._beginnings)
                self._say(f"lists {printable(name)}, which is not below {where}: a restore puts it there")
                return

    def _say_late(self, page: Page) -> None:
        entry, name = max(page, key=lambda item: item[0].mtime)
        if entry.change != Change.DELETED:
            self._late = True
            self._say(f"gives {printable(name)} a time after the year 2446. Are these seconds since 1970?")

    def _say(self, what: str) -> None:
        self.warnings.append(f"agent {self._lister.job.label} {what}")


_mtime = attrgetter("mtime")
