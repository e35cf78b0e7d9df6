from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from filed.agents.elf import search_paths, why_not_loadable


def test_a_whole_library_for_this_machine_has_nothing_wrong(agents_dir: Path) -> None:
    assert why_not_loadable(agents_dir / "good.so") == ""


@pytest.mark.parametrize("size", [0, 10, 63, 64, 200, 5000, 12000])
def test_a_library_that_is_cut_short_is_told(agents_dir: Path, tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.so"
    path.write_bytes((agents_dir / "good.so").read_bytes()[:size])
    expected = "is not a library" if size == 0 else "is cut short"
    assert expected in why_not_loadable(path)


def test_every_cut_is_found_or_harmless(agents_dir: Path, tmp_path: Path) -> None:
    """Past the last segment only names of sections and debug information follow."""
    whole = (agents_dir / "good.so").read_bytes()
    path = tmp_path / "cut.so"
    answers = []
    for size in range(0, len(whole), 997):
        path.write_bytes(whole[:size])
        answers.append(bool(why_not_loadable(path)))
    assert answers[0]
    assert answers == sorted(answers, reverse=True)


def test_a_library_of_another_machine_is_told(agents_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.so"
    content = bytearray((agents_dir / "good.so").read_bytes())
    content[18] = 183
    path.write_bytes(content)
    assert "for another machine: aarch64, 64-bit; this one is" in why_not_loadable(path)


def test_a_library_of_another_width_is_told(tmp_path: Path) -> None:
    path = tmp_path / "narrow.so"
    path.write_bytes(b"\x7fELF\1\1\1" + bytes(11) + b"\3\0" + bytes(100))
    assert "i386, 32-bit" in why_not_loadable(path)


def test_a_library_of_go_is_told_by_the_note_of_its_linker(tmp_path: Path) -> None:
    source, library = tmp_path / "go.c", tmp_path / "go.so"
    note = '__asm__(".section %s,\\"a\\",@note\\n.long 4,4,4\\n.asciz \\"%s\\"\\n.balign 4\\n.long 0\\n.text");\n'
    source.write_text(note % (".note.other", "ABC") + note % (".note.go.buildid", "Go\\\\0"))
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    assert "is written in Go, whose runtime takes the signal handlers" in why_not_loadable(library)
    source.write_text(note % (".note.other", "ABC"))
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    assert why_not_loadable(library) == ""


def test_a_windows_library_and_a_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.so"
    path.write_bytes(b"MZ" + bytes(100))
    assert "Windows library" in why_not_loadable(path)
    path.write_text("#!/bin/sh\n" * 100)
    assert "is not a library" in why_not_loadable(path)


@pytest.mark.skipif(not shutil.which("x86_64-w64-mingw32-gcc"), reason="no mingw compiler")
def test_a_real_dll_is_told(tmp_path: Path) -> None:
    source, library = tmp_path / "a.c", tmp_path / "a.so"
    source.write_text("int answer(void) { return 42; }\n")
    subprocess.run(["x86_64-w64-mingw32-gcc", "-shared", str(source), "-o", str(library)], check=True)
    assert "Windows library" in why_not_loadable(library)


def linked(directory: Path, *flags: str) -> Path:
    library = directory / "linked.so"
    source = directory / "a.c"
    source.write_text("int x;")
    subprocess.run(["gcc", "-shared", "-fPIC", *flags, source, "-o", library], check=True)
    return library


@pytest.mark.parametrize("tags", ["--enable-new-dtags", "--disable-new-dtags"])
def test_the_places_where_the_linker_would_look_are_known(tmp_path: Path, tags: str) -> None:
    library = linked(tmp_path, f"-Wl,{tags}", "-Wl,-rpath,$ORIGIN/lib:/opt/lib", "-Wl,-rpath,relative")
    assert search_paths(library) == ["$ORIGIN/lib", "/opt/lib", "relative"]


def test_a_library_without_such_places_names_none(tmp_path: Path, agents_dir: Path) -> None:
    assert search_paths(linked(tmp_path)) == []
    assert search_paths(agents_dir / "good.so") == []
