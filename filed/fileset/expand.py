"""File lines that stand for others: `<list` is a file of names, `|command` a program that prints them; one name a line, blanks at its end
do not count.

A Director expands its own; those that a conf writes as `\\\\<list` and `\\\\|command` reach the client as they are here. A Director may
name any file and any program, so what they give is bounded, a cancel ends it, and no line that is not a path is shown to anybody.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from filed.errors import JobCanceled, JobError, printable
from filed.fileset.confine import confined
from filed.fileset.model import FileSet
from filed.process.system import open_file, readable

MAX_BYTES = 64 << 20
MAX_NAMES = 1_000_000
"""Of all lists and programs of a FileSet."""
TICK_S = 0.2
SAID_BYTES = 500  # of what a program prints as errors
PIECE_BYTES = 1 << 16


def expanded(fileset: FileSet, cancel_pipe: int, warn: Callable[[str], None] = lambda _text: None) -> FileSet:
    """The FileSet with names in place of lists and programs, held to the directories of the conf.

    A program runs without a shell, and may take as long as it likes.  warn: gets a sentence about each list with lines that are
    no absolute paths, which are left out, and about each File line that the conf cuts down.  `FileSet.digest()` belongs to the unexpanded one.

    Raises JobError when a list or program cannot be read or run or gives too much, JobCanceled when `cancel_pipe` becomes readable.
    """
    expansion = _Expansion(cancel_pipe, warn)
    fileset = fileset.with_listed()
    includes = tuple(
        replace(include, files=tuple(expansion.names(include.files, paths=True))) for include in fileset.includes
    )
    excludes = tuple(expansion.names(fileset.excludes, paths=False))
    return confined(replace(fileset, includes=includes, excludes=excludes), warn)


def stands_for_others(item: bytes) -> bool:
    """Whether a File line is a list or a program."""
    return item[:1] in {b"<", b"|"}


@dataclass(slots=True)
class _Expansion:
    """What the lists and programs of one FileSet may still give. left: bytes."""

    cancel_pipe: int
    warn: Callable[[str], None]
    left: int = MAX_BYTES
    names_left: int = MAX_NAMES

    def names(self, items: tuple[bytes, ...], *, paths: bool) -> Iterator[bytes]:
        """paths: only absolute paths are names, as in an Include; an Exclude has patterns, too."""
        for item in items:
            if not stands_for_others(item):
                yield item
                continue
            source = item[1:].strip()
            text = self._content(source) if item.startswith(b"<") else self._output(source)
            self.names_left -= text.count(b"\n")
            if self.names_left < 0:
                raise self._too_much(source)
            lines = [line for line in map(bytes.rstrip, text.split(b"\n")) if line]
            names = [line for line in lines if line.startswith(b"/")] if paths else lines
            if len(names) < len(lines):
                self.warn(
                    f'FileSet: {len(lines) - len(names):,} lines of "{printable(source)}" are no absolute paths: skipped'
                )
            yield from names

    def _content(self, path: bytes) -> bytes:
        try:
            descriptor = open_file(path, follow=True)
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise JobError(f'FileSet: the list "{printable(path)}" is not a regular file')
                return self._read(file.fileno(), path)[0]
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise JobError(f'FileSet: the list "{printable(path)}" cannot be read: {why}') from error

    def _output(self, command: bytes) -> bytes:
        shown = printable(command)
        try:
            words = shlex.split(command.decode("utf-8", "surrogateescape"))
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
            )
        except (OSError, ValueError, IndexError) as error:
            raise JobError(f'FileSet: "{shown}" cannot be run: {error}') from error
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                output, said = self._read(process.stdout.fileno(), command, process.stderr.fileno())
                self._wait(process)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            last = printable(said.strip().rsplit(b"\n", 1)[-1])
            raise JobError(f'FileSet: "{shown}" ended with code {process.returncode}: {last}')
        return output

    def _read(self, descriptor: int, source: bytes, errors: int | None = None) -> tuple[bytes, bytes]:
        """All of it, in pieces. With it the end of what comes on `errors`, for as long as both are open."""
        text, said = bytearray(), b""
        waiting = [descriptor, self.cancel_pipe] if errors is None else [descriptor, self.cancel_pipe, errors]
        while True:
            ready = readable(*waiting)
            if self.cancel_pipe in ready:
                raise JobCanceled("canceled")
            if errors in ready:
                more = os.read(errors, PIECE_BYTES)
                said = (said + more)[-SAID_BYTES:]
                if not more:
                    waiting.remove(errors)
                    errors = None
            if descriptor not in ready:
                continue
            piece = os.read(descriptor, PIECE_BYTES)
            if not piece:
                return bytes(text), said
            self.left -= len(piece)
            if self.left < 0:
                raise self._too_much(source)
            text += piece

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """For the end of a program that has closed its output."""
        while process.returncode is None:
            if readable(self.cancel_pipe, timeout_s=0):
                raise JobCanceled("canceled")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(TICK_S)

    def _too_much(self, source: bytes) -> JobError:
        bounds = f"{MAX_BYTES:,} bytes and {MAX_NAMES:,} lines"
        return JobError(f'FileSet: "{printable(source)}" gives too much: all lists and programs may give {bounds}')
