"""`filed agent new`: what it writes compiles without a warning, keeps the contract, saves, continues and restores."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Filed

COMPILERS = {"c": "gcc", "c++": "g++", "rust": "rustc", "python": "gcc"}


def make(directory: Path, *goals: str) -> str:
    """`make`, as an author calls it, with this filed; warnings are errors."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LC_ALL": "C"}
    done = subprocess.run(
        ["make", *goals], cwd=directory, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning:" not in done.stderr
    return done.stdout


@pytest.fixture(params=COMPILERS)
def fresh(request: pytest.FixtureRequest, filed: Filed, tmp_path: Path, programs: Callable[..., None]) -> Path:
    programs("make", COMPILERS[request.param])
    said = filed("agent", "new", "my-notes", "--lang", request.param, "-d", tmp_path)
    assert said.code == 0, said.err
    return tmp_path / "my-notes"


def test_a_new_agent_is_checked_by_its_own_make(fresh: Path) -> None:
    said = make(fresh, "check")
    assert "agent my-notes 0.1 keeps the contract: " in said
    assert {
        line.split()[0] for line in said.splitlines() if line.startswith(("passed", "skipped", "warnings", "failed"))
    } == {"passed", "skipped"}


def test_a_new_agent_saves_continues_and_restores(fresh: Path, filed: Filed, tmp_path: Path) -> None:
    make(fresh)
    source = tmp_path / "lines.txt"
    lines = [f"line {number}\n" * (number % 3 + 1) for number in range(1, 4)] + ["x" * 300_000 + "\n"]
    source.write_text("".join(lines) + "this one is still being writ")
    whole = source.read_text().splitlines(keepends=True)[:-1]
    agent = ["agent", "run", fresh / "my-notes.so", "--option", f"source={source}"]
    assert filed(*agent, "--backup", tmp_path / "v").code == 0
    with source.open("a") as file:
        file.write("ten\nand more\n")
    said = filed(*agent, "--backup", tmp_path / "v", "--level", "incremental", "--json")
    assert (said.json["level"], said.json["files"], said.json["deleted"]) == ("Incremental", 2, 0)
    assert filed(*agent, "--restore", tmp_path / "v", "--where", tmp_path / "back").code == 0
    restored = sorted((tmp_path / "back" / "@MY-NOTES").iterdir())
    assert [file.read_text() for file in restored] == [*whole, "this one is still being written\n", "and more\n"]


def test_a_new_agent_says_when_it_cannot_continue(fresh: Path, filed: Filed, tmp_path: Path) -> None:
    make(fresh)
    source = tmp_path / "lines.txt"
    source.write_text("one\ntwo\nthree\n")
    agent = ["agent", "run", fresh / "my-notes.so", "--option", f"source={source}", "--backup", tmp_path / "v"]
    assert filed(*agent).code == 0
    source.write_text("begun anew\n")
    said = filed(*agent, "--level", "incremental")
    assert said.code == 3
    assert "the source is shorter than it was" in said.err
    assert "1 files" in said.out


@pytest.fixture
def in_python(filed: Filed, tmp_path: Path, programs: Callable[..., None]) -> Path:
    programs("make", "gcc")
    assert filed("agent", "new", "snake", "--lang", "python", "-d", tmp_path).code == 0
    return tmp_path / "snake"


def test_what_an_agent_in_python_raises_is_told_with_its_traceback(
    in_python: Path, filed: Filed, tmp_path: Path
) -> None:
    """An OSError about one entry costs that entry; anything else the Job. And it can do what is new since 1.0."""
    text = (in_python / "snake.py").read_text()
    text = text.replace("        left = entry.size\n", "        left = entry.size\n        trouble(entry)\n")
    text = text.replace(
        "    parallel = 0",
        "    prepare = lambda self: self.host.message('still')\n    release = lambda *_: None\n    parallel = 4",
    )
    text += (
        "\n    plan = lambda self: self.host.message('planned')\n"
        "\ndef trouble(entry):\n"
        "    if entry.name.endswith(b'2'):\n        raise PermissionError(13, 'no', 'two')\n"
        "    if entry.name.endswith(b'4'):\n        {}['a key']\n"
    )
    (in_python / "snake.py").write_text(text)
    make(in_python)
    source = tmp_path / "lines.txt"
    agent = ["agent", "run", in_python / "snake.so", "--option", f"source={source}", "--backup", tmp_path / "v"]
    source.write_text("one\ntwo\nthree\n")
    said = filed(*agent)
    assert said.code == 3
    assert "snake: still" in said.err
    assert "/@SNAKE/0000000002: agent snake 0.1: open_stream: two: Permission denied" in said.err
    source.write_text("one\ntwo\nthree\nfour\n")
    said = filed(*agent)
    assert said.code == 2
    assert "agent snake 0.1: open_stream: KeyError: 'a key' (BP_E_FAIL), entry /@SNAKE/0000000004" in said.err
    assert 'snake: File "snake.py", line' in said.err
    assert "{}['a key']" in said.err


def test_an_agent_that_was_made_for_another_python_is_refused(in_python: Path, filed: Filed) -> None:
    make(in_python)
    library = in_python / "snake.so"
    ours = "bplugin python {}.{}".format(*sys.version_info).encode()
    library.write_bytes(
        library.read_bytes().replace(ours + b"\0", b"bplugin python 2.7".ljust(len(ours), b"\0") + b"\0")
    )
    said = filed("agent", "info", "-d", in_python, "snake")
    assert said.code == 1
    assert "it was made for Python 2.7, and filed runs on" in said.err


def test_its_readme_and_files_name_it(fresh: Path) -> None:
    text = "".join(path.read_text() for path in fresh.iterdir())
    assert "my-notes" in text
    assert "@name@" not in text + "".join(path.name for path in fresh.iterdir())
    assert "@NAME@" not in text
    assert fresh.stat().st_mode & 0o022 == 0


def test_a_wrong_name_and_a_directory_that_is_there_are_refused(filed: Filed, tmp_path: Path) -> None:
    said = filed("agent", "new", "My Agent", "-d", tmp_path)
    assert (said.code, "lower-case letters" in said.err) == (1, True)
    (tmp_path / "mine").mkdir()
    said = filed("agent", "new", "mine", "-d", tmp_path)
    assert (said.code, "nothing is written over" in said.err) == (1, True)
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_name_that_no_crate_may_have_compiles(filed: Filed, tmp_path: Path, programs: Callable[..., None]) -> None:
    programs("make", "rustc")
    assert filed("agent", "new", "3-d", "--lang", "rust", "-d", tmp_path).code == 0
    make(tmp_path / "3-d")
    assert filed("agent", "info", "-d", tmp_path / "3-d", "3-d").code == 0


def test_what_every_language_has_is_the_same_for_all(filed: Filed, tmp_path: Path) -> None:
    for lang in COMPILERS:
        filed("agent", "new", "one", "--lang", lang, "-d", tmp_path)
        names = {path.name for path in (tmp_path / "one").iterdir()}
        assert {"Makefile", "README.md", "sample.txt"} < names
        shutil.rmtree(tmp_path / "one")


MBOX = r"""
static uint64_t item_length(bp_job *job, uint64_t offset)
{
  char line[8192];
  uint64_t length = 0;
  int begins = 1, was_blank = 1;
  if (fseeko(job->file, (off_t)offset, SEEK_SET))
    return 0;
  while (fgets(line, sizeof line, job->file)) {
    if (length && begins && was_blank && !strncmp(line, "From ", 5))
      return length;
    was_blank = begins && line[0] == '\n';
    begins = strchr(line, '\n') != NULL;
    length += strlen(line);
    bp_beat(job->host);
  }
  return length;
}

"""


def test_another_source_is_one_place_to_change(filed: Filed, tmp_path: Path, programs: Callable[..., None]) -> None:
    """As tried by a new user: a mailbox, split by message, continued from, checked and restored."""
    programs("make", "gcc")
    assert filed("agent", "new", "mbox", "-d", tmp_path).code == 0
    source = tmp_path / "mbox" / "mbox.c"
    text = source.read_text()
    begin, end = text.index("static uint64_t item_length"), text.index("static bp_status list_all")
    source.write_text(text[:begin] + MBOX.lstrip() + text[end:])
    messages = [f"From me Mon\nSubject: {number}\n\n" + "body\n" * number * 20_000 + "\n" for number in range(3)]
    mailbox = tmp_path / "mbox" / "sample.txt"
    mailbox.write_text("".join(messages))
    said = make(tmp_path / "mbox", "check")
    assert "agent mbox 0.1 keeps the contract" in said
    agent = ["agent", "run", tmp_path / "mbox" / "mbox.so", "--option", f"source={mailbox}"]
    assert filed(*agent, "--backup", tmp_path / "v").code == 0
    with mailbox.open("a") as file:
        file.write("From you Tue\n\nnew\n\n")
    assert "1 files" in filed(*agent, "--backup", tmp_path / "v", "--level", "incremental").out
    assert filed(*agent, "--restore", tmp_path / "v", "--where", tmp_path / "back").code == 0
    restored = [path.read_text() for path in sorted((tmp_path / "back" / "@MBOX").iterdir())]
    assert restored == [*messages, "From you Tue\n\nnew\n\n"]
