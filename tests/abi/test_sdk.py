"""Runs the tests of sdk.c, one by one, compiled as C and as C++ with the sanitizers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.agents.compile import ABI

SOURCE = Path(__file__).with_name("sdk.c")
NAMES = re.findall(r"TEST\((\w+)\)[,}]", SOURCE.read_text())
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
COMPILERS = {"c": ["gcc", "-std=c99", "-D_POSIX_C_SOURCE=200809L"], "c++": ["g++", "-x", "c++", "-std=c++11"]}


@pytest.fixture(scope="module", params=list(COMPILERS))
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sdk") / "sdk"
    warnings = ["-Wall", "-Wextra", "-Werror"]
    command = [*COMPILERS[request.param], *warnings, *SANITIZERS, "-g", "-O1", f"-I{ABI}", str(SOURCE), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("name", NAMES)
def test_sdk(program: Path, name: str) -> None:
    done = subprocess.run([program, name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_function_of_the_list_is_run() -> None:
    assert len(NAMES) == len(set(NAMES)) == SOURCE.read_text().count("(void)\n{") - 2  # full_host, and the twin for C++
