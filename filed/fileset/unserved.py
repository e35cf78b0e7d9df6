"""What a FileSet may ask for and does not get: refused where the data would be other than meant, else told.

Portable, HFS Plus Support and Replace change nothing in a backup of bacula-fd on Unix either, and are let pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from filed.errors import ConfigError, printable
from filed.fileset.model import Dedup, FileSet, Options

CLASS = re.compile(rb"\[\[:[a-z]+:\]")


def refuse_unserved(fileset: FileSet) -> None:
    """Raises ConfigError for an option plugin: files would be saved as they are, not as it makes them."""
    for options in _all(fileset):
        if options.plugin:
            raise ConfigError(
                f'Plugin = "{options.plugin}" within Options is not served: no agent changes the files of another; '
                "a Plugin line of the Include itself asks an agent"
            )


def without_effect(fileset: FileSet) -> Iterator[str]:
    """Sentences for the Job's report."""
    blocks = list(_all(fileset))
    if any(options.drivetypes for options in blocks):
        yield "FileSet: Drive Type means nothing on this system; files are taken whatever they lie on"
    if any(options.dedup not in (None, Dedup.NONE) for options in blocks):
        yield "FileSet: Dedup is not served; files are sent whole"
    wilds = {
        wild for options in blocks for wild in (*options.wild, *options.wilddir, *options.wildfile, *options.wildbase)
    }
    for wild in sorted(each for each in wilds if CLASS.search(each)):
        yield (
            f'FileSet: wild "{printable(wild)}": wild cards have no classes; as in bacula-fd, [[:alpha:]] is one of "[:alph" with a "]" behind it.'
            " Use a regex"
        )


def _all(fileset: FileSet) -> Iterator[Options]:
    return (options for include in fileset.includes for options in include.options)
