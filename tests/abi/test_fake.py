"""bplugin_fake.h: an agent is tried by its own unit test, without filed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from filed.cli.agent_new import files
from tests.agents.compile import ABI

HERE = Path(__file__).resolve().parent
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def test_an_agent_saves_and_continues_in_a_unit_test_of_its_author(tmp_path: Path) -> None:
    (source,) = [text for name, text in files("notes", "c") if name == "notes.c"]
    (tmp_path / "notes.c").write_text(source)
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    program = tmp_path / "unit"
    command = ["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", *SANITIZED, f"-I{ABI}", f"-I{tmp_path}"]
    subprocess.run([*command, '-DAGENT="notes.c"', HERE / "fake.c", "-o", program], check=True)
    done = subprocess.run(
        [program, f"source={tmp_path / 'lines.txt'}"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "full /@NOTES/0000000001: one",
        "full /@NOTES/0000000002: two",
        "state 2 8",
        "more /@NOTES/0000000002: two",
        "a state of somebody else: -40, the state is not of this agent",
    ]
