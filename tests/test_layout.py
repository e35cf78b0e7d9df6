"""The tests are the same house again: every module has its own file of tests, and every file of tests its module."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Modules without a file of tests of their own, and where they are tested instead. Keep it short.
CONFESSED = {
    "filed/errors.py": "classes with a message; every room's tests raise and read them",
}
# Tests that belong to no single module: all below these directories, and these files.
ACROSS = (
    "tests/system/",
    "tests/live/",
    "tests/install/",
    "tests/bench/",
    "tests/docs/",
    "tests/abi/",
    "tests/native_agents/",
    "tests/system_agents/",
    "tests/esesim/",
    "tests/fuzz/",
)
ACROSS_FILES = {"tests/test_layout.py", "tests/test_build.py"}


def modules() -> set[str]:
    found = {path.relative_to(ROOT).as_posix() for path in (ROOT / "filed").rglob("*.py")}
    return {path for path in found if not path.endswith(("/__init__.py", "/__main__.py"))}


def files_of_tests() -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}


def file_of(module: str) -> str:
    path = Path(module).relative_to("filed")
    return (Path("tests") / path.parent / f"test_{path.name}").as_posix()


def test_every_module_has_its_tests() -> None:
    missing = {module for module in modules() if file_of(module) not in files_of_tests()}
    assert missing - CONFESSED.keys() == set()


def test_every_file_of_tests_has_its_module_or_crosses_rooms() -> None:
    """`test_<room>_contract.py` and the like: `test_<anything>_contract.py` runs one suite over a whole room."""
    expected = {file_of(module) for module in modules()} | ACROSS_FILES
    stray = {
        test
        for test in files_of_tests() - expected
        if not test.startswith(ACROSS) and not test.endswith("_contract.py")
    }
    assert stray == set()


def test_what_is_confessed_still_exists_and_still_has_no_tests() -> None:
    assert CONFESSED.keys() <= modules()
    assert not {file_of(module) for module in CONFESSED} & files_of_tests()


def test_no_room_has_a_junk_drawer() -> None:
    drawers = {"utils.py", "util.py", "common.py", "helpers.py", "base.py", "misc.py"}
    assert [path for path in modules() if Path(path).name in drawers] == []


def test_every_directory_of_code_is_a_room_with_a_door() -> None:
    directories = {path.parent for path in (ROOT / "filed").rglob("*.py")}
    assert [str(path.relative_to(ROOT)) for path in directories if not (path / "__init__.py").exists()] == []
