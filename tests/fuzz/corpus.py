"""The stored inputs: one text file for each target, a line for each input, as Python writes bytes without their quotes."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).parent / "corpus"


def stored(target: str, place: Path = HERE) -> list[bytes]:
    path = place / f"{target}.txt"
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return [ast.literal_eval(f'b"{line}"') for line in lines]


def store(target: str, inputs: Iterable[bytes], place: Path = HERE) -> None:
    place.mkdir(exist_ok=True)
    ordered = sorted(set(inputs), key=lambda data: (len(data), data))
    (place / f"{target}.txt").write_text("".join(f"{_line(data)}\n" for data in ordered), encoding="ascii")


def files(directory: Path) -> Iterator[bytes]:
    """What libFuzzer keeps: a file for each input."""
    for path in sorted(directory.iterdir()):
        yield path.read_bytes()


def _line(data: bytes) -> str:
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in data)
    return text[:-1] + "\\x20" if text.endswith(" ") else text  # editors take a blank at an end away
