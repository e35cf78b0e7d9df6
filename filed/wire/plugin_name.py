r"""The plugin-name record (stream 26): which plugin wrote the records that follow.

    start  "<FileIndex> 1 <portable> <command>" NUL     ahead of the attributes, with their FileIndex
    end    "<FileIndex> 0"                              after the item's last record, no NUL

The command begins with the plugin's name up to the first colon: `bpipe:/@bpipe/x:reader:writer`.

Source: docs/formats/streams.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from filed.errors import LocalProtocolError, StreamError
from filed.wire.stream import Stream

MAX_DECIMAL_DIGITS = 10


@dataclass(frozen=True, slots=True)
class PluginName:
    """A start (with its command) or an end (command empty)."""

    file_index: int
    start: bool
    command: bytes = b""
    portable: bool = True

    @property
    def plugin(self) -> bytes:
        return self.command.partition(b":")[0]


def pack_plugin_start(file_index: int, command: bytes, *, portable: bool = True) -> bytes:
    if 0 in command or not command:
        raise LocalProtocolError(f"not a plugin command: {command[:80]!r}")
    return b"%d 1 %d %b\0" % (file_index, portable, command)


def pack_plugin_end(file_index: int) -> bytes:
    return b"%d 0" % file_index


def parse_plugin_name(data: bytes | bytearray | memoryview) -> PluginName:
    """Raises StreamError when the record is neither a start nor an end."""
    fields = bytes(data).partition(b"\0")[0].split(b" ", 3)
    if len(fields) >= 2 and fields[0].isdigit() and len(fields[0]) <= MAX_DECIMAL_DIGITS:
        file_index = int(fields[0])
        if fields[1] == b"0":
            return PluginName(file_index, start=False)
        if fields[1] == b"1" and len(fields) == 4 and fields[2] in (b"0", b"1") and fields[3]:
            return PluginName(file_index, True, fields[3], fields[2] == b"1")
    raise StreamError(f"not a plugin name: {bytes(data[:80])!r}", Stream.PLUGIN_NAME)
