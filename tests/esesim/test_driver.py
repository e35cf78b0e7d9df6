"""The driver for a shell does what the library does."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.esesim.compile import Built


def test_a_store_is_made_filled_backed_up_and_shown_from_a_shell(built: Built, tmp_path: Path) -> None:
    def run(*words: str) -> str:
        done = subprocess.run([built.driver, tmp_path / "s", *words], capture_output=True, text=True, check=True)
        return done.stdout

    run("create")
    run("add-group", "g", "Group", "log_size=5120")
    run("add-database", "Group", "Mail", "mbx")
    run("write", "Group", "40", "7")
    run("put", "Group", "Mail", "99", "a letter")
    before = run("dump")
    assert "a letter" in before
    run("backup", "Group", "full")
    assert "record=Mail|full|" in run("status", "Group")
    run("dismount", "Group")
    run("mount", "Group", "Mail")
    assert run("dump", "Group") == before


def test_a_refusal_is_the_exit_status_and_names_the_code(built: Built, tmp_path: Path) -> None:
    done = subprocess.run([built.driver, tmp_path, "dump"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "esesim: dump: 0xC8000713\n")
    assert subprocess.run([built.driver, tmp_path], capture_output=True, check=False).returncode == 2
