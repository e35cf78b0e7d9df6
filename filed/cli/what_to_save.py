"""What `filed backup` saves without a conf: its PATHs, lists of paths, and what is left out."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, TypeVar

import click

from filed.cli import options
from filed.config.units import size_bytes
from filed.errors import ConfigError
from filed.fileset import FileSet, Include, Options
from filed.fileset.typed import exclude_as_typed

F = TypeVar("F", bound=Callable[..., Any])

CACHE_TAG = b"CACHEDIR.TAG"
MAX_NAMES = 1_000_000
MAX_BYTES = 16 << 20
"""Of all lists. The catalog and the Volume keep them as a part of the FileSet."""


@dataclass(frozen=True, slots=True)
class WhatToSave:
    """paths, listed: as given. excludes: patterns as typed."""

    paths: tuple[str, ...]
    listed: tuple[bytes, ...]
    excludes: tuple[str, ...]
    caches: bool
    larger_than: int

    @property
    def names_paths(self) -> bool:
        return bool(self.paths or self.listed)

    @property
    def is_given(self) -> bool:
        """Whether anything beside PATHs was."""
        return bool(self.listed or self.excludes or self.caches or self.larger_than)

    def fileset(self, keep: Options) -> FileSet:
        """keep: how what is saved is kept, but for the size."""
        include = Include(
            options=(replace(keep, larger_than=self.larger_than),),
            files=tuple(dict.fromkeys(options.path_bytes(path) for path in self.paths)),
            exclude_dir_containing=(CACHE_TAG,) if self.caches else (),
        )
        excludes = tuple(exclude_as_typed(os.fsencode(pattern)) for pattern in self.excludes)
        listed = tuple(dict.fromkeys(options.path_bytes(os.fsdecode(name)) for name in self.listed))
        return FileSet(includes=(include,), excludes=excludes, name="command line", listed=listed)


class _Size(click.ParamType[int]):
    """A number of bytes, as in a conf."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            found = size_bytes(value)
        except (ValueError, ConfigError):
            found = 0
        if found <= 0:
            self.fail(f"{value!r} is no size; write it as 500000, 64k, '1.5 gb'", param, ctx)
        return found


def what_to_save(command: F) -> F:
    """The options that say what is saved; the command gets a WhatToSave as `what`."""

    @functools.wraps(command)
    def gathered(
        *,
        paths: tuple[str, ...],
        files_from: tuple[BinaryIO, ...],
        null: bool,
        exclude: tuple[str, ...],
        exclude_file: tuple[BinaryIO, ...],
        exclude_caches: bool,
        exclude_larger_than: int,
        **rest: Any,
    ) -> Any:
        what = WhatToSave(
            paths,
            tuple(_listed(files_from, b"\0" if null else b"\n")),
            (*exclude, *_patterns(exclude_file)),
            exclude_caches,
            exclude_larger_than,
        )
        if files_from and not what.listed:
            raise click.UsageError("--files-from names nothing")
        return command(what=what, **rest)

    for add in reversed(
        (
            click.option(
                "--files-from",
                multiple=True,
                type=click.File("rb"),
                metavar="FILE",
                help="Save the paths in it too, one a line; - is standard input. Repeats.",
            ),
            click.option("--null", is_flag=True, help="With --files-from: a zero byte ends each path (find -print0)."),
            click.option(
                "--exclude",
                multiple=True,
                metavar="PATTERN",
                help="Leave out paths that match, as in a FileSet. Repeats.",
            ),
            click.option(
                "--exclude-file",
                multiple=True,
                type=click.File("rb"),
                metavar="FILE",
                help="Leave out what the patterns in it match, one a line; # begins a comment. Repeats.",
            ),
            click.option(
                "--exclude-caches", is_flag=True, help="Leave out directories that a CACHEDIR.TAG says are caches."
            ),
            click.option(
                "--exclude-larger-than",
                type=_Size(),
                default=0,
                metavar="SIZE",
                help="Leave out larger files: 500m, 2gb.",
            ),
            click.argument("paths", nargs=-1, type=click.Path()),
        )
    ):
        gathered = add(gathered)
    return gathered  # type: ignore[return-value]  # it takes the options instead of `what`


def _listed(files: Iterable[BinaryIO], end: bytes) -> Iterator[bytes]:
    left_bytes, left_names = MAX_BYTES, MAX_NAMES
    for file in files:
        text = file.read(left_bytes + 1)
        names = [name for name in text.split(end) if name]
        left_bytes, left_names = left_bytes - len(text), left_names - len(names)
        if left_bytes < 0 or left_names < 0:
            raise click.UsageError(
                f"--files-from gives too much: {MAX_BYTES:,} bytes and {MAX_NAMES:,} paths at most; name directories"
            )
        yield from names


def _patterns(files: Iterable[BinaryIO]) -> Iterator[str]:
    for file in files:
        for line in file.read(MAX_BYTES).split(b"\n"):
            pattern = line.strip()
            if pattern and not pattern.startswith(b"#"):
                yield os.fsdecode(pattern)
