"""The headers compile without a warning wherever an author may use them, and the agents of the tests do, too."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from abi import layout
from tests.agents import refuse
from tests.agents.compile import ABI, SOURCES, compile_agent

C = [("gcc", f"-std={standard}") for standard in ("c99", "c11", "c17", "gnu17")]
CXX = [("g++", f"-std={standard}") for standard in ("c++11", "c++14", "c++17", "c++20")]
MINGW = [("x86_64-w64-mingw32-gcc", "-std=c99"), ("x86_64-w64-mingw32-gcc", "-std=c11")]
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Wshadow", "-Wconversion", "-Wno-sign-conversion", "-Werror"]

EXAMPLE = """
#include "bplugin_sdk.h"
static bp_agent_api api;
static const bp_descriptor descriptor = {
  BP_DESCRIPTOR_START, BP_VERSION(1, 0), BP_TARGET_VERSION, 0, 0, 0, (uint32_t)sizeof(bp_option), 0, 0,
  "example", "1", "", "", NULL, NULL, NULL, 0, &api
};
BPLUGIN_DEFINE(descriptor);
"""


def compile_text(tmp_path: Path, text: str, compiler: str, *flags: str) -> subprocess.CompletedProcess[str]:
    source = tmp_path / ("example.cc" if compiler.endswith("g++") else "example.c")
    source.write_text(text)
    out = tmp_path / "example.o"
    command = [compiler, *flags, *STRICT, f"-I{ABI}", "-c", str(source), "-o", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("compiler", "standard"), [*C, *CXX, *MINGW])
def test_both_headers_compile_without_a_warning(tmp_path: Path, compiler: str, standard: str) -> None:
    done = compile_text(tmp_path, EXAMPLE, compiler, standard)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("flags", [["-fno-exceptions"], ["-fno-rtti"]])
def test_a_cxx_agent_may_do_without_exceptions(tmp_path: Path, flags: list[str]) -> None:
    body = EXAMPLE + "bp_status run();\nbp_status run() { return bp_guard([] { return bp_status(BP_OK); }); }\n"
    done = compile_text(tmp_path, body, "g++", "-std=c++17", *flags)
    assert done.returncode == 0, done.stderr


def test_only_the_query_is_exported(tmp_path: Path) -> None:
    library = compile_agent("good.c", tmp_path, "good")
    listed = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    assert [line.split()[-1] for line in listed.splitlines()] == ["bplugin_query_v1"]


def test_a_target_that_the_header_does_not_know_is_refused(tmp_path: Path) -> None:
    for version in ("BP_VERSION(0,9)", "BP_VERSION(1,200)", "BP_VERSION(2,0)"):
        done = compile_text(tmp_path, EXAMPLE, "gcc", f"-DBP_TARGET_VERSION={version}")
        assert done.returncode != 0
        assert "BP_TARGET_VERSION" in done.stderr


def test_a_target_with_pointers_of_32_bits_is_refused(tmp_path: Path) -> None:
    done = compile_text(tmp_path, '#include "bplugin.h"\n', "gcc", "-m32", "-ffreestanding", "-std=c99")
    assert done.returncode != 0
    assert "its layouts are for 64-bit pointers" in done.stderr


def test_every_frozen_header_compiles_without_a_warning(tmp_path: Path) -> None:
    for number in layout.released():
        frozen = (layout.HISTORY / f"bplugin-{number}.h").as_posix()
        done = compile_text(tmp_path, f'#include "{frozen}"\n', "gcc", "-std=c99")
        assert done.returncode == 0, done.stderr


def test_every_public_number_and_field_is_explained() -> None:
    """The header is the manual: a constant stands in a group with a comment, a call has its thread tag."""
    lines = layout.HEADER.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("  BP_FN("):
            above = number - 1
            while not lines[above].lstrip().startswith("/*"):
                assert lines[above].lstrip().startswith("*"), f"line {number + 1} has no comment: {line}"
                above -= 1
            assert re.search(r"\[(job|any|stream)\]", lines[above]), f"line {number + 1} has no thread tag: {line}"


def sins() -> list[str]:
    """Every sin that bad.c knows, a verb as `verb-*`: the source is its own list."""
    text = (SOURCES / "bad.c").read_text()
    lists = {}
    for name in ("verbs", "plain"):
        body = text.split(f"{name}[] = {{", 1)[1].split("NULL", 1)[0]
        lists[name] = body.split('"')[1::2]
    return [f"{verb}-*" for verb in lists["verbs"]] + [sin for sin in lists["plain"] if sin != "none"]


def test_every_sin_has_an_expected_report() -> None:
    rows = [line.split("|") for line in (SOURCES / "README.md").read_text().splitlines() if line.startswith("| `")]
    told = [part.strip() for row in rows for part in row[1].replace("`", "").split(",")]
    assert sorted(name for name in told if name in sins()) == sorted(sins())


def test_every_refused_variant_has_a_row() -> None:
    page = (SOURCES / "README.md").read_text()
    variants = [*refuse.REFUSED, *filter(None, refuse.ACCEPTED), *refuse.REFUSED_AT_CREATE, *refuse.DEADLY]
    assert [variant for variant in variants if f"`{variant}`" not in page] == []


@pytest.mark.parametrize("defines", [[], ["WITH_FETCH"], ['SIN="crash-create"']])
def test_the_bad_agent_compiles(tmp_path: Path, defines: list[str]) -> None:
    assert compile_agent("bad.c", tmp_path, "bad", defines).is_file()


def test_the_throwing_agent_compiles(tmp_path: Path) -> None:
    assert compile_agent("bad_throw.cc", tmp_path, "bad-throw").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant",
    [*refuse.REFUSED, *refuse.ACCEPTED, *refuse.REFUSED_AT_CREATE, *refuse.DEADLY],
    ids=lambda v: v or "plain",
)
def test_every_refused_agent_compiles(tmp_path: Path, variant: str) -> None:
    assert refuse.compile_refused(variant, tmp_path).is_file()


def test_pkg_config_finds_the_headers(tmp_path: Path) -> None:
    values = {
        "prefix": "/usr",
        "includedir": str(ABI),
        "plugindir": "/usr/lib/filed",
        "version": layout.version(layout.HEADER),
    }
    text = (ABI / "bplugin.pc.in").read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    (tmp_path / "bplugin.pc").write_text(text)

    def ask(*question: str) -> str:
        command = ["pkg-config", *question, "bplugin"]
        environment = {**os.environ, "PKG_CONFIG_PATH": str(tmp_path)}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()

    assert ask("--cflags") == f"-I{ABI}"
    assert ask("--variable=plugindir") == "/usr/lib/filed"
    assert ask("--modversion") == layout.version(layout.HEADER)
