"""build.py: what it compiles, that it compiles the same twice, and what it refuses."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import build
from filed.agents.abi import HEADER_VERSION

SOURCE = """
#include "bplugin.h"
#include <stdio.h>
BPLUGIN_EXPORT uint32_t answer(void) { return BP_HEADER_VERSION; }
BPLUGIN_EXPORT const char *where(void) { return __FILE__; }
uint32_t inner(void) { return 7; }
"""


def house(parent: Path, **files: str) -> Path:
    """A tree such as this project's, with the real headers and one agent, `small`; `files` go to its directory."""
    root = parent / "house"
    agent = root / "native_agents" / "small"
    agent.mkdir(parents=True)
    shutil.copytree(build.ROOT / "abi", root / "abi")
    for name, text in (
        {"small.c": SOURCE} | {name.replace("_dot_", "."): text for name, text in files.items()}
    ).items():
        (agent / name).write_text(text)
    return root


def test_an_agent_exports_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    (library,) = build.build(house(tmp_path))
    assert library == tmp_path / "house" / "filed" / "_agents" / "small.so"
    loaded = ctypes.CDLL(str(library))
    assert loaded.answer() == HEADER_VERSION
    assert not hasattr(loaded, "inner")


def test_two_directories_and_two_moments_give_the_same_bytes(tmp_path: Path) -> None:
    (first,) = build.build(house(tmp_path / "one"))
    (second,) = build.build(house(tmp_path / "a longer way" / "two"))
    assert first.read_bytes() == second.read_bytes()
    assert b"house" not in first.read_bytes()


def test_the_agents_of_this_project_do_not_depend_on_the_directory(tmp_path: Path) -> None:
    made = []
    for name in ("here", "somewhere else"):
        root = tmp_path / name
        for part in ("abi", "native_agents"):
            shutil.copytree(build.ROOT / part, root / part)
        made.append({library.name: library.read_bytes() for library in build.build(root)})
    assert made[0] == made[1]
    assert "filesystem.so" in made[0]


def test_what_is_up_to_date_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = house(tmp_path)
    (library,) = build.build(root)
    before = library.stat()
    build.build(root)
    assert library.stat().st_ino == before.st_ino
    assert capsys.readouterr().out == "filed/_agents/small.so: built\nfiled/_agents/small.so: up to date\n"


@pytest.mark.parametrize("changed", ["native_agents/small/small.c", "native_agents/small/own.h", "abi/bplugin.h"])
def test_a_changed_source_or_header_is_compiled_again(tmp_path: Path, changed: str) -> None:
    root = house(tmp_path, own_dot_h="")
    (library,) = build.build(root)
    before = library.stat().st_ino
    with (root / changed).open("a") as file:
        file.write("/* changed */\n")
    build.build(root)
    assert library.stat().st_ino != before


def test_a_library_that_was_removed_comes_back(tmp_path: Path) -> None:
    root = house(tmp_path)
    (library,) = build.build(root)
    library.unlink()
    build.build(root)
    assert library.exists()


def test_a_warning_stops_the_build_with_the_compilers_words(tmp_path: Path) -> None:
    root = house(tmp_path, other_dot_c="static int unused(void) { return 1; }\n")
    with pytest.raises(build.BuildError, match=r"small: .*\n(?s:.*)native_agents/small/other\.c:1:.*unused"):
        build.build(root)


def test_an_undefined_symbol_is_found_when_linking_not_when_loading(tmp_path: Path) -> None:
    calls = 'int elsewhere(void);\n__attribute__((visibility("default"))) int go(void) { return elsewhere(); }\n'
    root = house(tmp_path, other_dot_c=calls)
    with pytest.raises(build.BuildError, match="undefined reference to `elsewhere'"):
        build.build(root)


def test_nothing_that_is_built_can_be_written_by_others(tmp_path: Path) -> None:
    root = house(tmp_path)
    output = root / "filed" / "_agents"
    output.mkdir(parents=True)
    output.chmod(0o777)
    (library,) = build.build(root)
    assert output.stat().st_mode & 0o777 == 0o755
    assert library.stat().st_mode & 0o777 == 0o644


def test_the_package_gets_the_headers(tmp_path: Path) -> None:
    root = house(tmp_path)
    build.build(root)
    for header in (build.ROOT / "abi").glob("*.h"):
        assert (root / "filed" / "_sdk" / header.name).read_bytes() == header.read_bytes()


def test_a_cplusplus_agent_is_linked_as_such(tmp_path: Path) -> None:
    root = house(tmp_path, more_dot_cc="#include <string>\nstd::string text() { return std::string(99, 'x'); }\n")
    (library,) = build.build(root)
    assert ctypes.CDLL(str(library)).answer() == HEADER_VERSION


def test_an_agent_for_windows_gives_a_dll_that_is_reproducible(tmp_path: Path, programs: Callable[..., None]) -> None:
    programs("x86_64-w64-mingw32-gcc")
    made = []
    for name in ("one", "another"):
        _, library = build.build(house(tmp_path / name, agent_dot_toml="windows = true\n"))
        made.append(library.read_bytes())
    assert library.name == "small.dll"
    assert made[0] == made[1]
    assert made[0][:2] == b"MZ"


def test_sanitized_agents_go_elsewhere(tmp_path: Path) -> None:
    root = house(tmp_path)
    (library,) = build.build(root, sanitize=True)
    assert library == root / "build" / "sanitized" / "small.so"
    assert b"__asan_init" in library.read_bytes()
    assert not (root / "filed").exists()


def test_a_key_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(build.BuildError, match=r"agent\.toml: unknown: window"):
        build.build(house(tmp_path, agent_dot_toml="window = true\n"))


def test_an_agent_that_is_not_there_is_named_with_those_that_are() -> None:
    run = subprocess.run(
        [sys.executable, str(build.ROOT / "build.py"), "nosuch"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "no agent nosuch in " in run.stderr
    assert "filesystem" in run.stderr
