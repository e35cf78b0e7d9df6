"""Why a name is taken or left: the rules of one Include for one agent's instance.

While it walks, an agent asks about each directory (`directory`); later the host filters the page of entries the agent handed over (`file`,
`directory_entry`, `top_entry`).

The Options blocks are tried in order; the first with a pattern that matches decides: its own exclude, or its own
options.  A block with `exclude` and no pattern takes all that reach it away.  When none decides, the Exclude entries are
asked, and then the options of the last block hold.  A File line's own entry is never filtered.
"""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from filed.errors import printable
from filed.fileset import regex, wild
from filed.fileset.confine import as_compared, real, within
from filed.fileset.fstype import listed, type_name
from filed.fileset.model import FileSet, Include, Options, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class Verdict(IntEnum):
    """The answers of `match` in abi/bplugin.h."""

    NONE = 0
    TAKE = 1
    SKIP = 2
    DESCEND = 3
    PRUNE = 4


class Decide(Protocol):
    def __call__(self, path: bytes, nodump: bool = False, /) -> Options | None: ...  # noqa: FBT001, FBT002  hot: no keywords


class Matcher:
    """The rules of one instance; `fileset` is its part, of one Include (`FileSet.parts`).  Raises JobError for a bad pattern.

    file(path, nodump=False) -> Options | None
        What a file of a page is kept with, or None when it is left out.  The same Options object comes back each time,
        so that its identity can be the key of what a caller derives from it.
    directory_entry(path, nodump=False) -> Options | None
        The same for the entry of a directory.
    always
        The options of every file and of every directory but those of File lines; None where that depends on their names or flags.
    excludes, unused
        What can take names away, in words: Exclude entries and the patterns of Options with `exclude`. And which of them have matched nothing yet.
    strips
        How many leading components are taken off names: all values that the Options blocks have.
    """

    def __init__(self, fileset: FileSet) -> None:
        (include,) = fileset.includes or (Include(),)
        self._rules = _Rules(include, fileset.excludes, fileset.barred)
        self.excludes = self.unused()
        self.strips = {options.strip_path for options in include.options}
        self._borders: list[tuple[bytes, int]] = []
        self._top = b""
        self.file: Decide = self._rules.file
        self.directory_entry: Decide = self._rules.directory
        self.always = self._rules.always

    def directory(
        self, path: bytes, dev: int, fs_type: int | str | None = None, *, nodump: bool = False, top: bool = False
    ) -> tuple[Verdict, str | None]:
        """What to do with a directory, and a text for the Job's report when that may surprise.

        path: without a slash at the end.  dev: st_dev.  fs_type: statfs' number, a name, or None when not known.
        top: the path is that of a File line; this starts its walk.
        """
        if top:
            return self._top_directory(path, dev, fs_type, nodump=nodump)
        options = self._rules.directory(path)
        if options is None:
            return Verdict.SKIP, None
        if not options.recurse:
            return Verdict.PRUNE, (
                f"Recursion turned off. Will not descend from {printable(self._top)} into {printable(path)}"
            )
        if nodump and options.honor_nodump:
            return Verdict.PRUNE, None
        if dev != self._device_around(path, dev):
            name = printable(path)
            if options.onefs:
                text = f"{name} is a different filesystem. Will not descend from {printable(self._top)} into {name}"
                return Verdict.PRUNE, text
            if options.fstypes and fs_type is not None and not listed(fs_type, options.fstypes):
                return Verdict.PRUNE, f'Directory "{name}" has unlisted fstype "{type_name(fs_type)}"'
            self._borders.append((_inside(path), dev))
        return Verdict.TAKE, None

    def unused(self) -> frozenset[str]:
        return frozenset(text for one in self._rules.exclusions for text in one.unused())

    @property
    def top_entry(self) -> Options:
        """The options of a File line's own entry in a page."""
        return self._rules.top

    def _top_directory(
        self, path: bytes, dev: int, fs_type: int | str | None, *, nodump: bool
    ) -> tuple[Verdict, str | None]:
        options = self._rules.top
        self._top = path
        self._borders = [(_inside(path), dev)]
        if options.fstypes and fs_type is not None and not listed(fs_type, options.fstypes):
            return Verdict.SKIP, f'Top level directory "{printable(path)}" has unlisted fstype "{type_name(fs_type)}"'
        if nodump and options.honor_nodump:
            return Verdict.PRUNE, None
        return Verdict.TAKE, None

    def _device_around(self, path: bytes, dev: int) -> int:
        """The device of the directory in which `path` stands: that of the nearest border crossed on the way."""
        for prefix, device in reversed(self._borders):
            if path.startswith(prefix):
                return device
        self._borders.append((_inside(path), dev))  # an agent that names no top: what it asks first is one
        return dev


def unused(matchers: Sequence[Matcher]) -> list[str]:
    """What took nothing away in any of the Includes that have it, in words."""
    left = {matcher: matcher.unused() for matcher in matchers}
    return sorted(
        text
        for text in frozenset().union(*left.values())
        if all(text in left[matcher] for matcher in matchers if text in matcher.excludes)
    )


class _Exclusion:
    """Patterns that take names away, and which of them have matched nothing yet.

    A path that is taken away is compared with those patterns alone, too; and with each of them when one matches.
    """

    def __init__(self, options: Options, text: str) -> None:
        """text: of one pattern, with its kind and itself."""
        self._left, self._text = options, text
        self._again: dict[bool, Callable[[bytes], object] | None] = {}

    def noting(self, test: Callable[[bytes], object], *, directories: bool) -> Callable[[bytes], object]:
        """The same test of all patterns, which notes what matched."""

        def noted(path: bytes) -> object:
            if not test(path):
                return False
            if self._left.has_patterns:
                self._note(path, directories=directories)
            return True

        return noted

    def unused(self) -> Iterable[str]:
        return (self._text.format(kind, printable(pattern)) for kind, pattern in self._left.patterns)

    def _note(self, path: bytes, *, directories: bool) -> None:
        if directories not in self._again:
            self._again[directories] = _test(self._left, directories=directories)
        again = self._again[directories]
        if again is None or not again(path):
            return
        self._left = self._left.with_patterns(
            [one for one in self._left.patterns if not self._matches(one, path, directories=directories)]
        )
        self._again.clear()

    def _matches(self, pattern: tuple[str, bytes], path: bytes, *, directories: bool) -> bool:
        test = _test(self._left.with_patterns([pattern]), directories=directories)
        return test is not None and bool(test(path))


class _Rules:
    """One Include's rules, made ready: patterns compiled, the usual case (no pattern) a function that only answers."""

    def __init__(self, include: Include, excludes: tuple[bytes, ...], barred: tuple[bytes, ...] = ()) -> None:
        last = include.options[-1] if include.options else Options()
        honor = any(options.honor_nodump for options in include.options)
        self.top = merged(include.options)
        blocks = [
            (options, _Exclusion(options, 'Options: {0} = "{1}" with exclude = yes')) for options in include.options
        ]
        if excludes:
            entries = Options(exclude=True, wild=excludes)
            blocks.append((entries, _Exclusion(entries, 'Exclude "{1}"')))
        self.exclusions = [exclusion for options, exclusion in blocks if options.exclude]
        self.file, always = _decider(blocks, last, directories=False)
        self.directory, too = _decider(blocks, last, directories=True)
        self.always = last if always and too and not honor and not barred else None
        if honor:
            self.file = _unless_nodump(self.file)
        if barred:
            places = tuple(map(real, barred))
            self.file, self.directory = _unless_within(places, self.file), _unless_within(places, self.directory)


def _decider(blocks: Iterable[tuple[Options, _Exclusion]], last: Options, *, directories: bool) -> tuple[Decide, bool]:
    """And whether it takes everything by the options of the last block."""
    tests: list[tuple[Callable[[bytes], object], Options | None]] = []
    default: Options | None = last
    for options, exclusion in blocks:
        test = _test(options, directories=directories)
        if test is not None and options.exclude:
            tests.append((exclusion.noting(test, directories=directories), None))
        elif test is not None:
            tests.append((test, options))
        elif options.exclude and not options.has_patterns:
            default = None
            break

    def unconditional(path: bytes, nodump: bool = False, /) -> Options | None:  # noqa: ARG001, FBT001, FBT002  hot: no keywords
        return default

    def first_match(path: bytes, nodump: bool = False, /) -> Options | None:  # noqa: ARG001, FBT001, FBT002  hot: no keywords
        for test, decision in tests:
            if test(path):
                return decision
        return default

    return first_match if tests else unconditional, not tests and default is last


def _unless_within(barred: tuple[bytes, ...], decide: Decide) -> Decide:
    if sys.platform == "win32":
        # Agents give names as they found them, and Windows knows a file by any case of its name.
        return lambda path, nodump=False, /: (
            None if within(as_compared(path.rstrip(b"/")), barred) else decide(path, nodump)
        )

    def unless_within(path: bytes, nodump: bool = False, /) -> Options | None:  # noqa: FBT001, FBT002  hot: no keywords
        return None if within(path.rstrip(b"/"), barred) else decide(path, nodump)

    return unless_within


def _unless_nodump(decide: Decide) -> Decide:
    def unless_nodump(path: bytes, nodump: bool = False, /) -> Options | None:  # noqa: FBT001, FBT002  hot: no keywords
        options = decide(path)
        return None if nodump and options is not None and options.honor_nodump else options

    return unless_nodump


def _test(options: Options, *, directories: bool) -> Callable[[bytes], object] | None:
    """Whether any pattern of the block matches a path; None when it has none for this kind of entry."""
    names = (*(options.wilddir if directories else options.wildfile), *options.wild)
    bases = () if directories else options.wildbase
    expressions = (*(options.regexdir if directories else options.regexfile), *options.regex)
    by_regex = regex.matcher(expressions, ignore_case=options.ignore_case) if expressions else None
    if not names and not bases:
        return by_regex
    by_wild = wild.matcher(names, bases, ignore_case=options.ignore_case, pathname=options.enhanced_wild)

    def in_wild(path: bytes) -> object:
        return by_wild(path.decode("utf-8", "surrogateescape"))

    if by_regex is None:
        return in_wild
    in_regex = by_regex

    def in_either(path: bytes) -> object:
        return in_wild(path) or in_regex(path)

    return in_either


def _inside(path: bytes) -> bytes:
    """What each path below this one starts with."""
    return path.rstrip(b"/") + b"/"
