from __future__ import annotations

from pathlib import Path

import pytest

from filed.cli.exit import Exit
from filed.cli.main import run
from tests.daemon.calling import Daemon


def test_a_conf_that_is_right_is_said_to_be(tmp_path: Path) -> None:
    assert run(["daemon", "-t", "-c", str(Daemon(tmp_path).conf)]) == Exit.GOOD


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_has_the_forms_that_the_manual_names(tmp_path: Path, form: str) -> None:
    assert run(["daemon", "--log", form, "-t", "-c", str(Daemon(tmp_path).conf)]) == Exit.GOOD


def test_what_is_wrong_with_a_conf_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    daemon = Daemon(tmp_path, "plugin nobody")
    assert run(["daemon", "-t", "-c", str(daemon.conf)]) == Exit.USAGE
    assert "nobody" in capsys.readouterr().err
