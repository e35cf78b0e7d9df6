"""The layout holds: tests mirror rooms, every directory is a package, no room has a junk drawer, and POSIX stays where it belongs."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Directories of tests that cross rooms.
ACROSS = {
    "abi",
    "bench",
    "docs",
    "esesim",
    "fuzz",
    "install",
    "live",
    "native_agents",
    "native_host",
    "system",
    "system_agents",
}


def modules() -> list[Path]:
    """What an author of agents gets is none of ours."""
    return sorted(path for path in (ROOT / "filed").rglob("*.py") if "agent_templates" not in path.parts)


def imported(module: Path) -> set[str]:
    """The top names of what a module imports when it is imported itself: not inside functions, not for types alone."""
    found: set[str] = set()
    todo: list[ast.stmt] = list(ast.parse(module.read_text()).body)
    while todo:
        statement = todo.pop()
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            found.add(statement.module)
        elif isinstance(statement, ast.If | ast.Try | ast.With | ast.ClassDef):
            todo += statement.body
    return found


def test_tests_stand_in_the_rooms_of_the_code() -> None:
    rooms = {path.parent.relative_to(ROOT / "filed") for path in modules()}
    tests = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    stray = {str(room) for room in tests - rooms if room.parts and room.parts[0] not in ACROSS}
    assert stray == set()


def test_every_room_has_tests() -> None:
    rooms = {path.parent.relative_to(ROOT / "filed") for path in modules() if path.name != "__init__.py"}
    empty = {str(room) for room in rooms if room.parts and not list((ROOT / "tests" / room).glob("test_*.py"))}
    assert empty == set()


def test_no_room_has_a_junk_drawer() -> None:
    drawers = {"utils.py", "util.py", "common.py", "helpers.py", "base.py", "misc.py"}
    assert [str(path) for path in modules() if path.name in drawers] == []


def test_every_directory_of_code_is_a_package() -> None:
    directories = {path.parent for path in modules()}
    assert [str(path.relative_to(ROOT)) for path in directories if not (path / "__init__.py").exists()] == []


POSIX_MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "select", "termios"}
POSIX_CALLS = {"fork", "forkpty", "getpgid", "killpg", "pidfd_open", "setpgid", "setsid", "waitid", "waitpid"}
ROOMS_OF_POSIX = {"process", "transport"}


def other_rooms() -> list[Path]:
    """All that must run on another system as it is."""
    return [path for path in modules() if path.relative_to(ROOT / "filed").parts[0] not in ROOMS_OF_POSIX]


def test_modules_of_posix_are_imported_only_behind_the_rooms_that_hide_them() -> None:
    found = {str(path.relative_to(ROOT)): sorted(imported(path) & POSIX_MODULES) for path in other_rooms()}
    assert {path: names for path, names in found.items() if names} == {}


def test_processes_are_started_and_ended_in_one_room() -> None:
    calls = [
        f"{path.relative_to(ROOT)}: os.{node.attr}"
        for path in other_rooms()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
        if node.attr in POSIX_CALLS
    ]
    assert calls == []


def test_nothing_is_committed_that_is_to_be_ignored() -> None:
    """Packages of others are unpacked beside the code, and stay out of it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    assert (listed.stdout, listed.stderr) == ("", "")
