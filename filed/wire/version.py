"""What a File Daemon of some version says of itself, and what its peers do because of it. One row a version, no code.

A Director and a Storage Daemon decide by the number in our Hello what they send us, so that we are what we announce.

Source: docs/formats/network.md, "Versions".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FileDaemonVersion:
    """number: of the protocol, as in "2000 OK Hello 214". program: as in "2000 OK Job 9.6.7 (10Dec20)"."""

    number: int
    program: str
    storage_caps: bool  # both sides list their capabilities between Hello and authentication with a Storage Daemon
    early_tls: bool  # `tlspsk=` stands in a Hello, and TLS begins before authentication instead of behind it
    line_compression: bool  # peers send LZ4 blocks, and take them


V9_6_7: Final = FileDaemonVersion(214, "9.6.7 (10Dec20)", storage_caps=False, early_tls=False, line_compression=True)
V15_0_3: Final = FileDaemonVersion(15, "15.0.3 (25Mar24)", storage_caps=True, early_tls=True, line_compression=True)

DIRECTOR_EXPANDS_FROM: Final = 103
STORAGE_EXPANDS_FROM: Final = 306
"""The numbers of 9.6.7 in the Hello of a Director and of a Storage Daemon. An older one was never met: it is sent plain lines."""

VERSIONS: Final = {version.number: version for version in (V9_6_7, V15_0_3)}
