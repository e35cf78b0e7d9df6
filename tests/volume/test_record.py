from __future__ import annotations

from filed.volume import LabelType, Record, Session
from filed.volume.record import MAX_RECORD_BYTES, RECORD_HEADER


def test_a_record_is_a_value() -> None:
    assert Record(Session(1, 2), 3, 4, b"x") == Record(Session(1, 2), 3, 4, b"x")


def test_a_header_is_twelve_bytes_and_knows_negative_numbers() -> None:
    packed = RECORD_HEADER.pack(LabelType.END_OF_SESSION, -0x04000002, MAX_RECORD_BYTES)
    assert packed.hex() == "fffffffbfbfffffe01312d00"
