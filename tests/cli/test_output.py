"""What a command writes."""

from __future__ import annotations

import pytest

from filed.cli.output import answer, message, report


def test_a_name_on_a_volume_gives_no_orders_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "Job \x1b[2J\x9b2J\r\x07\tM\u00fcller\nnext"
    for write in (answer, message, report):
        write(hostile)
    said = capsys.readouterr()
    shown = "Job \\x1b[2J\\x9b2J\\x0d\\x07\tM\u00fcller\nnext\n"
    assert said.out == shown * 2
    assert said.err == shown
