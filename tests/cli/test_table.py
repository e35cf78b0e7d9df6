"""Tables on stdout."""

from __future__ import annotations

import sys

import pytest

from filed.cli.table import print_table

ROWS = [("1", "a [b]name[/b]", "12 kB"), ("20", "b", "3 MB")]


def test_off_a_terminal_columns_are_plain_and_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("Id", "Name", "Size"), ROWS)
    assert capsys.readouterr().out == "Id  Name            Size\n 1  a [b]name[/b]  12 kB\n20  b               3 MB\n"


def test_a_table_without_rows_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("Id", "Name"), [])
    assert capsys.readouterr().out.split() == ["Id", "Name"]


def test_on_a_terminal_names_are_not_taken_for_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(("Id", "Name", "Size"), ROWS)
    assert "a [b]name[/b]" in capsys.readouterr().out
