"""Tables on stdout."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.cli.table import print_table
from tests.cli.screen import terminal

ROWS = [("1", "a [b]name[/b]", "12 kB"), ("20", "b", "3 MB")]


def test_off_a_terminal_columns_are_plain_and_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("Id", "Name", "Size"), ROWS)
    assert capsys.readouterr().out == "Id  Name            Size\n 1  a [b]name[/b]  12 kB\n20  b               3 MB\n"


def test_a_table_without_rows_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("Id", "Name"), [])
    assert capsys.readouterr().out.split() == ["Id", "Name"]


def test_a_column_with_a_word_in_it_stands_left(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("Base", "Name"), [("7", "x"), ("none", "y")])
    assert capsys.readouterr().out.splitlines() == ["Base  Name", "7     x", "none  y"]


def test_empty_cells_among_numbers_do_not_move_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("Job", "Base"), [("x", ""), ("y", "12")])
    assert capsys.readouterr().out.splitlines() == ["Job  Base", "x", "y      12"]


@given(st.lists(st.tuples(*[st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=9)] * 3)))
def test_every_cell_can_be_read_back(rows: list[tuple[str, ...]]) -> None:
    with redirect_stdout(io.StringIO()) as out:
        print_table(("One", "Two", "Three"), rows)
    assert [tuple(line.split()) for line in out.getvalue().splitlines()] == [("One", "Two", "Three"), *rows]


def test_on_a_narrow_terminal_the_name_alone_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    heads = ("JobId", "Level", "Status", "Started", "Files", "Stored", "Base", "Enc", "Name")
    row = ("1000", "Incr", "warnings", "2026-11-30 20:21", "1,000,000", "12.3 GB", "999", "yes", "Nightly" * 4)
    with terminal() as screen, redirect_stdout(screen.file):
        print_table(heads, [row])
        shown = re.sub(r"\x1b\[[0-9;]*m", "", screen.shown()).splitlines()
    assert max(map(len, shown)) <= 80
    assert all(cell in shown[2] for cell in row[:-1])


def test_a_terminal_gets_a_line_below_the_heads_and_names_are_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with terminal() as screen, redirect_stdout(screen.file):
        print_table(("Id", "Name", "Size"), [*ROWS, ("3", "[/]", "0 B")])
        shown = screen.shown()
    assert "───" in shown
    assert "a [b]name[/b]" in shown
    assert "[/]" in shown
