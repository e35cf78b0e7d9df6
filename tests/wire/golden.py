"""Single records that real daemons wrote, from tests/vectors/records."""

from __future__ import annotations

from pathlib import Path

RECORDS = Path(__file__).parents[1] / "vectors" / "records"
BYTES_A_LINE = 16


def hex_record(name: str) -> bytes:
    """The bytes of a hex dump: `offset  up to 16 pairs  text`; lines of `#` say where it came from."""
    lines = (RECORDS / f"{name}.hex").read_text(encoding="ascii").splitlines()
    dump = b"".join(
        bytes.fromhex("".join(line[6 : 6 + 3 * BYTES_A_LINE].split())) for line in lines if line and line[0] != "#"
    )
    length = next(int(line.split()[-1]) for line in lines if line.startswith("# length"))
    assert len(dump) == length
    return dump
