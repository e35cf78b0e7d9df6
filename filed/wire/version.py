"""What a File Daemon of some release says of itself, and what its peers do because of it. One row a release, no code beside it.

A Director and a Storage Daemon decide by the number in our Hello what they send us, so that we are what we announce. Which row holds in a
conversation follows from what the Director says of itself; its Storage Daemons are of its release.

Source: docs/formats/network.md, "Versions", which also tells how to add a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from filed.config.protocol import Protocol


@dataclass(frozen=True, slots=True)
class Version:
    """number: of the protocol, as in "2000 OK Hello 214". text: of the program, as in "2000 OK Job 9.6.7 (10Dec20)"."""

    protocol: Protocol
    number: int
    text: str
    short_date: str
    long_date: str
    directors_from: int  # spoken with a Director whose Hello has this number, or a higher one
    fatal_type: int  # the number of the message type `fatal`; 15 has one more type ahead of it, and the others follow
    storage_caps: bool  # both sides list their capabilities between Hello and authentication with a Storage Daemon
    early_tls: bool  # `tlspsk=` stands in a Hello, and TLS begins before authentication instead of behind it
    line_compression: bool  # peers send LZ4 blocks, and take them
    framed_status: bool  # `.status` answers in frames that end with `error=0`
    estimate_by_mtime: bool  # the time in the listing of an estimate is that of the content, and not of the inode
    attribute_updates: bool  # a Storage Daemon passes stream 37 on to the catalog, and a restore knows what it is

    @property
    def program(self) -> str:
        return f"{self.text} ({self.short_date})"


V9_6_7: Final = Version(
    protocol=Protocol.V9,
    number=214,
    text="9.6.7",
    short_date="10Dec20",
    long_date="10 December 2020",
    directors_from=0,
    fatal_type=3,
    storage_caps=False,
    early_tls=False,
    line_compression=True,
    framed_status=False,
    estimate_by_mtime=False,
    attribute_updates=False,
)
V15_0_3: Final = Version(
    protocol=Protocol.V15,
    number=15,
    text="15.0.3",
    short_date="25Mar25",
    long_date="25 March 2025",
    directors_from=10_002,
    fatal_type=4,
    storage_caps=True,
    early_tls=True,
    line_compression=True,
    framed_status=True,
    estimate_by_mtime=True,
    attribute_updates=True,
)
VERSIONS: Final = (V9_6_7, V15_0_3)
"""The oldest first."""

DIRECTOR_EXPANDS_FROM: Final = 103
STORAGE_EXPANDS_FROM: Final = 306
"""The numbers of 9.6.7 in the Hello of a Director and of a Storage Daemon. An older one was never met: it is sent plain lines."""


def spoken_with(director: int, offered: Sequence[Version] = VERSIONS) -> Version:
    """The newest row that a Director of this number knows. director: of its Hello, 0 when it said none."""
    known = [version for version in offered if version.directors_from <= director]
    return max(known or offered[:1], key=lambda version: version.directors_from)


def offered_by(protocol: Protocol) -> Sequence[Version]:
    """The rows that a conf has us speak."""
    return VERSIONS if protocol is Protocol.AUTO else [each for each in VERSIONS if each.protocol is protocol]


def numbered(number: int) -> Version:
    """The row with this number."""
    return next(version for version in VERSIONS if version.number == number)
