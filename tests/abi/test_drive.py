"""Agents driven by a small host in C: under the sanitizers here, and as a DLL under Windows' rules (wine)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from abi import layout
from tests import wine
from tests.agents.compile import ABI, SOURCES

DRIVER = Path(__file__).with_name("drive.c")
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
MINGW = "x86_64-w64-mingw32-gcc"
GOLDEN = sorted(path.stem.removeprefix("golden-") for path in SOURCES.glob("golden-*.c"))


def compile_c(out: Path, *command: str | Path) -> Path:
    done = subprocess.run([*command, "-o", out], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def frozen_header(version: str, directory: Path) -> Path:
    """A directory that has that release's header as bplugin.h, and nothing else."""
    include = directory / f"include-{version}"
    include.mkdir(exist_ok=True)
    shutil.copyfile(layout.HISTORY / f"bplugin-{version}.h", include / "bplugin.h")
    return include


def golden_agent(version: str, out: Path, *compiler: str) -> Path:
    flags = ["-shared", "-std=c99", "-pedantic", *WARNINGS, f"-I{frozen_header(version, out.parent)}"]
    return compile_c(out, *compiler, *flags, SOURCES / f"golden-{version}.c")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("driver") / "drive"
    flags = ["-std=c11", "-D_GNU_SOURCE", *WARNINGS, *SANITIZERS, "-g", f"-I{ABI}"]
    return compile_c(out, "gcc", *flags, DRIVER, "-ldl")


def drive(command: Sequence[str | Path], **environment: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def weighted_sum(data: bytes) -> int:
    return sum((position + 1) * byte for position, byte in enumerate(data)) & 0xFFFF_FFFF


def golden_story() -> list[str]:
    def saved(record: int, more: str = "") -> str:
        size = record * 30000
        return f"saved /@GOLDEN/record-{record}: {size} bytes, sum {weighted_sum(bytes([record]) * size)}{more}"

    return [
        *(saved(record) for record in (1, 2, 3)),
        "end of list, complete",
        "message 2: golden: kind 1, 0 restored",
        "state 3",
        *(saved(record, ", selected") for record in (4, 5)),
        "end of list",
        "message 2: golden: kind 1, 0 restored",
        "state 5",
        "message 2: golden: kind 2, 5 restored",
        "restored 5",
        "after a cancel: -24",
        "done",
    ]


def test_there_is_a_golden_agent_of_every_release() -> None:
    assert list(layout.released()) == GOLDEN


@pytest.mark.parametrize("version", GOLDEN)
def test_a_golden_agent_tells_its_story(driver: Path, tmp_path: Path, version: str) -> None:
    library = golden_agent(version, tmp_path / "golden.so", "gcc", "-fPIC", *SANITIZERS)
    told = drive([driver, library, "upto=3", "incremental:upto=5"])
    assert told == [f"loaded golden {version}", *golden_story()]


@pytest.mark.parametrize("contents", ["inline", "fetch", "stream"])
def test_the_good_agent_saves_the_same_by_every_route(driver: Path, tmp_path: Path, contents: str) -> None:
    flags = ["-std=gnu11", "-shared", "-fPIC", *WARNINGS, *SANITIZERS, f"-I{ABI}"]
    library = compile_c(tmp_path / "good.so", "gcc", *flags, SOURCES / "good.c")
    told = drive([driver, library, "files=60", "page=7", "big=100000", f"contents={contents}", "incremental:files=70"])
    texts = {number: f"{number:04}\n".encode() * (number % 50) for number in range(1, 71)}
    big = bytearray(100000)
    for start in (0, 50000):
        big[start : start + 25000] = bytes((i ^ i >> 8 ^ i >> 16) & 0xFF for i in range(start, start + 25000))
    expected = [
        *((f"small/{number:04}", texts[number], "") for number in range(1, 61)),
        ("big", bytes(big), ""),
        *((f"small/{number:04}", texts[number], ", selected") for number in range(61, 71)),
    ]
    lines = [line for line in told if line.startswith("saved ") and " 0 bytes" not in line]
    assert lines == [
        f"saved /@GOOD/{name}: {len(data)} bytes, sum {weighted_sum(data)}{more}"
        for name, data, more in expected
        if data
    ]
    # What came back is what went out: the agent sums up each restored file as the driver does each saved one.
    back = [
        line.split(": ")[2] for line in told if line.startswith("message 1: restored /@GOOD/") and ": 0 " not in line
    ]
    assert back == [f"{len(data)} bytes, sum {weighted_sum(data)}, status 0" for _, data, _ in expected if data]
    assert told[-1] == "done"


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a Windows of our own, as long as the tests of this module run."""
    with wine.windows(tmp_path_factory.mktemp("wine")) as environment:
        yield environment


@pytest.mark.slow
@pytest.mark.parametrize("version", GOLDEN)
def test_a_golden_agent_tells_the_same_on_windows(tmp_path: Path, windows: dict[str, str], version: str) -> None:
    golden_agent(version, tmp_path / "golden.dll", MINGW)
    program = compile_c(tmp_path / "drive.exe", MINGW, "-std=c11", *WARNINGS, f"-I{ABI}", DRIVER)
    told = drive(["wine", program, str(tmp_path / "golden.dll"), "upto=3", "incremental:upto=5"], **windows)
    assert told == [f"loaded golden {version}", *golden_story()]
