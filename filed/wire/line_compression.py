"""Line compression: the payload of one packet as one raw LZ4 block, packet by packet, no state between them.

Neither a frame nor a size precedes the block, so the receiver has to set the bound. A sender never has to compress.

Source: docs/formats/network.md, "Line compression".
"""

from __future__ import annotations

from typing import Final

import lz4.block

from filed.errors import RemoteProtocolError
from filed.wire.stream import Buffer

MIN_PAYLOAD_BYTES: Final = 20
"""Real daemons leave a payload of this length or less alone."""
MIN_SAVED_BYTES: Final = 10
"""And send it plain unless the block is shorter by this much."""
MAX_EXPANDED_BYTES: Final = 4_000_000
"""No real daemon packs a longer message, while an LZ4 block can grow 255 times."""


def compress_line(payload: Buffer) -> bytes | None:
    """The block to send in place of `payload`; None when it is not worth it."""
    if len(payload) <= MIN_PAYLOAD_BYTES:
        return None
    packed: bytes = lz4.block.compress(payload, store_size=False)
    return packed if len(packed) <= len(payload) - MIN_SAVED_BYTES else None


def expand_line(block: Buffer) -> bytes:
    """The payload that a peer compressed. Raises RemoteProtocolError when it is no LZ4 block, or too long a one."""
    try:
        payload: bytes = lz4.block.decompress(block, uncompressed_size=MAX_EXPANDED_BYTES)
    except lz4.block.LZ4BlockError as error:
        text = f"a packet is not an LZ4 block of at most {MAX_EXPANDED_BYTES:,} bytes"
        raise RemoteProtocolError(text, bytes(block[:80])) from error
    return payload
