"""Volumes that real daemons wrote (tests/vectors), unpacked and ready to be read."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filed.volume import Record, parse_header

VECTORS = Path(__file__).parents[1] / "vectors"
INDEX: dict[str, dict[str, str]] = json.loads((VECTORS / "index.json").read_text())
BB02 = [name for name, entry in INDEX.items() if entry["block_format"] == "BB02"]
BB03 = [name for name, entry in INDEX.items() if entry["block_format"] == "BB03"]
SPANNING = ["span-0031", "span-0032", "span-0033"]


@dataclass(frozen=True)
class Golden:
    name: str
    data: bytes
    key: bytes | None
    expected: list[tuple[int, int, int, int, int, str]]

    def put(self, directory: Path) -> Path:
        """The Volume as a file of its name."""
        path = directory / self.name
        path.write_bytes(self.data)
        return path


def golden(name: str) -> Golden:
    entry = INDEX[name]
    data = (VECTORS / entry["file"]).read_bytes()
    if entry["file"].endswith(".gz"):
        data = gzip.decompress(data)
    assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    key = bytes.fromhex(entry["volume_key_hex"]) if "volume_key_hex" in entry else None
    lines = (VECTORS / entry["records"]).read_text().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return Golden(name, data, key, [(*map(int, row[:5]), row[5]) for row in rows])  # type: ignore[misc]


def listed(records: Iterable[Record]) -> list[tuple[int, int, int, int, int, str]]:
    """Records in the form of a golden list."""
    return [
        (*one.session, one.file_index, one.stream, len(one.data), hashlib.sha256(one.data).hexdigest()[:16])
        for one in records
    ]


def blocks_of(data: bytes) -> list[bytes]:
    """A sound Volume cut into its blocks."""
    blocks, at = [], 0
    while at < len(data):
        length = parse_header(data, at).length
        blocks.append(data[at : at + length])
        at += length
    return blocks
