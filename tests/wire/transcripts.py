r"""Conversations of real daemons, from tests/wire/*.txt.

    # what it is
    # key KEY, or: # password PASSWORD
    CALLER text with \n and \x00, or <SIGNAL>
    SD     the same of the one that was called

One line is one packet. Recorded by tests/live/recording.py.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from filed.wire.auth import secret_of
from filed.wire.frame import Packet, Signal

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Transcript:
    """lines: (did the side that connected say it?, packet)."""

    lines: list[tuple[bool, Packet]]
    secret: bytes

    def said_by(self, caller: object) -> list[Packet]:
        return [packet for from_caller, packet in self.lines if from_caller is bool(caller)]


def transcript(name: str) -> Transcript:
    lines: list[tuple[bool, Packet]] = []
    secret = b""
    for line in (HERE / f"{name}.txt").read_text(encoding="ascii").splitlines():
        who, _, what = line.partition(" ")
        if who == "#":
            if what.startswith("key "):
                secret = what.removeprefix("key ").encode()
            elif what.startswith("password "):
                secret = secret_of(what.removeprefix("password ").encode())
        elif what.startswith("<") and what.endswith(">") and what[1:-1] in Signal.__members__:
            lines.append((who == "CALLER", Signal[what[1:-1]]))
        else:
            quoted = what.replace('"', '\\"').replace("\\'", "'").replace('\\\\"', '\\\\\\"')
            lines.append((who == "CALLER", ast.literal_eval(f'b"{quoted}"')))
    return Transcript(lines, secret)
