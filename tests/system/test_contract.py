"""What programs and people may rely on: exit codes, documents, help, and messages that say what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from filed.cli.main import cli
from tests.system.conftest import Store
from tests.system.program import PROGRAM, Ran, filed, filed_program
from tests.system.trees import Directory, File, Symlink, plant

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "filed.md"


@pytest.fixture
def tree(memory: Path) -> Path:
    entries = {b"f": File(b"x"), b"\xff\n": File(b"odd"), b"link": Symlink(b"f")}
    return plant(memory / "tree", Directory(entries=entries))


@pytest.fixture
def store(memory: Path, tree: Path) -> Store:
    store = Store(memory / "volumes")
    store.backup("full", tree)
    return store


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


# -- help ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_explains_itself_with_an_example(command: tuple[str, ...]) -> None:
    ran = filed(*command, "--help")
    assert ran.err == ""
    assert re.search(r"^ *Examples?[:,]", ran.out, re.MULTILINE)
    assert f"filed {' '.join(command)}" in ran.out.split("Example")[1]
    assert ran.out == filed(*command, "-h").out


def test_the_program_names_its_version_and_its_exit_codes() -> None:
    assert re.fullmatch(r"filed, version \d+\.\d+\.\d+\n", filed("--version").out)
    assert "130 canceled" in filed("--help").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_one_that_its_shell_can_read(shell: str, memory: Path) -> None:
    script = filed("completion", shell).out
    assert "_FILED_COMPLETE" in script
    if shutil.which(shell):
        (memory / "script").write_text(script)
        subprocess.run([shell, "-n", memory / "script"], check=True)


def test_the_completion_completes() -> None:
    env = {"_FILED_COMPLETE": "bash_complete", "COMP_WORDS": "filed re", "COMP_CWORD": "1"}
    assert filed_program(env=env).out.split() == ["plain,restore"]


# -- documents ----------------------------------------------------------------------------------------------------


def documented(command: str) -> set[str]:
    """The keys that the manual names for a command's document."""
    (line,) = [line for line in MANUAL.read_text().splitlines() if line.startswith(f"| `{command} --json`")]
    return set(re.findall(r"`(\w+)`", line.split("|")[2]))


def of(document: object) -> dict[str, object]:
    found = document[0] if isinstance(document, list) else document
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("backup", ("--level", "incremental", "TREE")),
        ("restore", ("--where", "WHERE")),
        ("jobs", ()),
        ("ls", ()),
        ("find", ("f",)),
        ("verify", ()),
        ("prune", ("--dry-run",)),
    ],
)
def test_a_document_parses_and_has_the_keys_of_the_manual(
    command: str, arguments: tuple[str, ...], tree: Path, store: Store, memory: Path
) -> None:
    words = [{"TREE": str(tree), "WHERE": str(memory / "r")}.get(word, word) for word in arguments]
    ran = store(command, "--json", *words)
    assert of(ran.json).keys() == documented(command)
    assert ran.err == ""


def test_the_documents_of_differences_and_of_a_dry_run(tree: Path, store: Store, memory: Path) -> None:
    (tree / "f").write_text("more")
    store.backup("incremental", tree)
    changes = store("diff", "--json", "1", "2", code=4).json
    assert of(changes).keys() == documented("diff")
    assert [(one["change"], one["path"]) for one in changes if one["path"].endswith("/f")] == [("M", f"{tree}/f")]
    dry = store("restore", "--dry-run", "--json", "--where", memory / "r").json
    assert dry.keys() == documented("restore --dry-run")
    assert os.fsencode(tree) + b"/\xff\n" in [os.fsencode(path) for path in dry["paths"]]
    assert not (memory / "r").exists()


def test_a_failed_job_is_a_document_too(memory: Path) -> None:
    ran = filed("backup", "-s", memory / "v", "--json", "--encrypt", memory / "none.pem", memory, code=(1, 2))
    if ran.code == 2:
        assert (ran.json["status"], ran.json["jobid"]) == ("f", 1)
        assert "none.pem" in ran.json["text"]


def test_names_that_are_no_text_forge_no_line(tree: Path, store: Store) -> None:
    lines = store("ls").out.splitlines()
    assert f"{tree}/\\xff\\n" in lines
    assert len(lines) == 4
    assert os.fsencode(store("ls", "--json").json[-1]["path"]).startswith(os.fsencode(tree))


# -- exit codes and messages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("backup /etc", "Give -s DIR, set FILED_STORAGE"),
        ("restore --where /tmp/nowhere", "Give -s DIR, set FILED_STORAGE"),
        ("jobs", "Give -s DIR, set FILED_STORAGE"),
        ("backup -s STORE", "what is to be saved?"),
        ("backup -s STORE --level sometimes /etc", "'sometimes' is not one of 'full', 'differential', 'incremental'"),
        ("backup -s STORE --compress bzip2 /etc", "gzip1 to gzip9, lzo, zstd1 to zstd19, or none"),
        ("backup -s STORE --compress gzip10 /etc", "gzip1 to gzip9, lzo, zstd1 to zstd19, or none"),
        ("backup -s STORE --digest crc /etc", "give md5, sha1"),
        ("backup -c /nowhere.conf", "/nowhere.conf"),
        ("restore -s STORE", "Missing option '--where'"),
        ("restore -s STORE 99 --where /tmp/nowhere", "JobId 99 is not in the catalog"),
        ("restore -s STORE --replace perhaps --where /tmp/nowhere", "'perhaps' is not one of"),
        ("ls -s STORE 99", "JobId 99 is not in the catalog"),
        ("diff -s STORE 1 99", "JobId 99 is not in the catalog"),
        ("verify -s STORE 99", "JobId 99 is not in the catalog"),
        ("prune -s STORE --older-than yesterday", "yesterday"),
        ("prune -s STORE --keep-fulls 0", "0"),
        ("jobs -s /nowhere/at/all", "/nowhere/at/all"),
        ("restore -s /nowhere/at/all --where /tmp/nowhere", "/nowhere/at/all"),
        ("agent info nonesuch", "nonesuch"),
        ("config check /nowhere.conf", "/nowhere.conf"),
        ("nonesuch", "No such command 'nonesuch'"),
        ("backup --nonesuch", "No such option"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_code_1(words: str, said: str, store: Store) -> None:
    ran = filed(*(str(store.path) if word == "STORE" else word for word in words.split()), code=1)
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""
    assert not Path("/tmp/nowhere").exists()
    assert len(store.jobs()) == 1


def test_the_directory_may_come_from_the_environment(tree: Path, store: Store) -> None:
    env = {"FILED_STORAGE": str(store.path)}
    assert len(json.loads(filed_program("jobs", "--json", env=env).out)) == 1
    filed_program("backup", "--json", tree, env=env)
    assert len(store.jobs()) == 2


CODES: list[tuple[str, Callable[[Store, Path], Ran], int]] = [
    ("a good Job", lambda store, tree: store("backup", tree, code=(0, 1, 2, 3)), 0),
    ("a Job without one of its paths", lambda store, tree: store("backup", tree, "/no such", code=(0, 1, 2, 3)), 3),
    ("a disk as it was", lambda store, _tree: store("verify", "--disk", code=(0, 2, 3, 4)), 0),
    ("two Jobs alike", lambda store, _tree: store("diff", "1", "1", code=(0, 4)), 0),
]


@pytest.mark.parametrize(("name", "do", "code"), CODES, ids=[name for name, _, _ in CODES])
def test_the_exit_code_of(name: str, do: Callable[[Store, Path], Ran], code: int, store: Store, tree: Path) -> None:
    assert do(store, tree).code == code, name


def test_the_exit_code_of_a_disk_that_differs(store: Store, tree: Path) -> None:
    (tree / "f").write_text("something else")
    (tree / "new").touch()
    (tree / "link").unlink()
    ran = store("verify", "--disk", code=4)
    assert f"{tree}/new is new" in ran.err
    assert f"{tree}/link is gone" in ran.err
    assert re.search(rf"{tree}/f differs in .*size", ran.err)


def test_a_reader_that_leaves_early_is_no_error(memory: Path, store: Store) -> None:
    many = plant(memory / "many", Directory(entries={b"%d" % n: File() for n in range(5000)}))
    store.backup("full", many)
    done = subprocess.run(
        f"{PROGRAM} ls -s {store.path} | head -1", shell=True, capture_output=True, check=True, text=True
    )
    assert (done.stdout, done.stderr) == (f"{many}/\n", "")


def test_results_go_to_stdout_and_messages_to_stderr(store: Store, tree: Path) -> None:
    ran = store("backup", "--level", "incremental", tree, "/no such", code=(0, 3))
    assert "/no such" in ran.err
    assert "JobId" in ran.out
    quiet = store("backup", "-q", "--level", "incremental", tree, "/no such", code=3)
    assert "doing a Full" not in quiet.err
    assert "/no such: No such file or directory" in quiet.err
