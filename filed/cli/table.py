"""Tables on stdout: rich on a terminal, plain columns elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from filed.cli.output import answer


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Cells that look like numbers stand to the right."""
    right = [all(row[at][:1].isdigit() or not row[at] for row in rows) for at in range(len(heads))]
    if sys.stdout.isatty():
        _rich_table(heads, rows, right)
        return
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    for row in (heads, *rows):
        cells = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        answer("  ".join(cells).rstrip())


def _rich_table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    from rich import box  # noqa: PLC0415  only a terminal pays for it
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, padding=0, collapse_padding=True, pad_edge=False, show_edge=False)
    for number, (head, to_right) in enumerate(zip(heads, right, strict=True), 1):
        last = number == len(heads)  # a name, which alone gives way where the terminal is narrow
        table.add_column(head, justify="right" if to_right else "left", overflow="fold", no_wrap=not last)
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)
