"""The exit codes of every command, as README and --help have them."""

from __future__ import annotations

from enum import IntEnum

from filed.process.outcome import JobStatus


class Exit(IntEnum):
    """What a program that calls `filed` can rely on."""

    GOOD = 0
    USAGE = 1  # nothing was done: wrong arguments, conf, directory or catalog
    FAILED = 2  # the Job ended in error
    WARNINGS = 3  # the Job is good, but some entries could not be saved or set
    DIFFERENCES = 4  # diff or verify found some
    CANCELED = 130  # as a shell reports Ctrl-C


_OF_STATUS = {
    JobStatus.OK: Exit.GOOD,
    JobStatus.WARNINGS: Exit.WARNINGS,
    JobStatus.CANCELED: Exit.CANCELED,
    JobStatus.DIFFERENCES: Exit.DIFFERENCES,
}


def exit_of(status: JobStatus) -> Exit:
    """The exit code of a Job that ended so."""
    return _OF_STATUS.get(status, Exit.FAILED)
