"""What the tracing agent is told to list; tests/agents/c/README.md has the format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Item:
    """One entry. kind: f, d, l, o or -; change: D or R; flags of S, F, T; times: "mtime" or "mtime,chtime"."""

    name: str
    content: str = "-"
    kind: str = "f"
    change: str = "-"
    flags: str = "-"
    times: str = "1700000000"
    extra: str = "-"

    def text(self) -> str:
        return f"{self.kind}\t{self.change}\t{self.flags}\t{self.times}\t{self.name}\t{self.extra}\t{self.content}"


def write_plan(path: Path, *items: Item) -> str:
    """The plan's file; its name, for the option `plan`."""
    path.write_text("".join(item.text() + "\n" for item in items))
    return str(path)


ROOT = Item("/@TRACE", kind="d", flags="T")
