"""What a command writes: messages, the report of work that is done, and answers.

A message or a report that cannot be written (a closed pipe, a full disk) changes nothing: the work is done, and its exit code stands.
An answer that cannot be written is an error, since it was all that the command was for; a reader that has seen enough is none.
"""

from __future__ import annotations

import errno
import os
import sys

import click

from filed.errors import FiledError

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


class OutputError(FiledError):
    """An answer could not be written."""


class ReaderGone(OutputError):
    """Anyone who read the answer has seen enough: `filed ls | head`."""


def message(text: str) -> None:
    """One line on stderr; nothing happens when nobody can read it."""
    try:
        click.echo(_shown(text), err=True)
    except OSError:
        silence(2)


def report(text: str) -> None:
    """What was done, on stdout. Where that cannot be written, stderr says so."""
    try:
        click.echo(_shown(text))
    except OSError as error:
        silence(1)
        if error.errno != errno.EPIPE:
            message(f"Warning: the report cannot be written to standard output: {error.strerror}")


def answer(text: str, *, end: str = "\n") -> None:
    """What was asked for, on stdout. Raises OutputError."""
    try:
        click.echo(_shown(text) + end, nl=False)
    except OSError as error:
        silence(1)
        kind = ReaderGone if error.errno == errno.EPIPE else OutputError
        raise kind(f"the answer cannot be written to standard output: {error.strerror}") from error


def _shown(text: str) -> str:
    """Without escape sequences: names of Jobs and Volumes may be whatever somebody wrote on a Volume, and no terminal shall obey them."""
    return text.translate(_CONTROLS)


def silence(descriptor: int) -> None:
    """What is still buffered for 1 or 2 goes nowhere: Python would fail again at its exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def open_standard_streams() -> None:
    """A descriptor of 0 to 2 that was closed at the start is /dev/null from here on: no file of ours may get its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  open until the end
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  as above
