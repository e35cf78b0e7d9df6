"""File lines that stand for others: `<list` is a file of names, `|command` a program that prints them; one name a line, blanks at its end
do not count.

A Director expands its own; those that a conf writes as `\\\\<list` and `\\\\|command` reach the client as they are here.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from filed.errors import JobError, printable
from filed.fileset.model import FileSet


def expanded(fileset: FileSet) -> FileSet:
    """The FileSet with names in place of lists and commands.  Raises JobError when one cannot be read or run.

    A command runs without a shell, and may take as long as it likes.  `FileSet.digest()` belongs to the unexpanded one.
    """
    includes = tuple(replace(include, files=tuple(_names(include.files))) for include in fileset.includes)
    return replace(fileset, includes=includes, excludes=tuple(_names(fileset.excludes)))


def _names(items: Iterable[bytes]) -> Iterator[bytes]:
    for item in items:
        if item.startswith(b"<"):
            yield from _lines(_content(item[1:].strip()))
        elif item.startswith(b"|"):
            yield from _lines(_output(item[1:].strip()))
        else:
            yield item


def _content(path: bytes) -> bytes:
    try:
        return Path(path.decode("utf-8", "surrogateescape")).read_bytes()
    except OSError as error:
        raise JobError(f'FileSet: the list "{printable(path)}" cannot be read: {error.strerror}') from error


def _output(command: bytes) -> bytes:
    try:
        words = shlex.split(command.decode("utf-8", "surrogateescape"))
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except (OSError, ValueError, IndexError) as error:
        raise JobError(f'FileSet: "{printable(command)}" cannot be run: {error}') from error
    if done.returncode:
        said = printable(done.stderr.strip().rsplit(b"\n", 1)[-1])
        raise JobError(f'FileSet: "{printable(command)}" ended with code {done.returncode}: {said}')
    return done.stdout


def _lines(text: bytes) -> Iterator[bytes]:
    return (line for line in (raw.rstrip() for raw in text.split(b"\n")) if line)
