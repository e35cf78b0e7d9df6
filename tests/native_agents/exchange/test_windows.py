"""The same agent as exchange.so and as exchange.dll, in a host written in C: a Full, an Incremental, a restore, a cancel.

On Windows nothing is configured: the library is found where the registry says, as Exchange's setup leaves it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import build
from tests.agents.compile import ABI
from tests.esesim.compile import Built, compile_for_windows
from tests.esesim.simulator import Store
from tests.native_agents.exchange.conftest import small_store
from tests.wine import drive_path, windows

DRIVER = Path(__file__).parents[2] / "abi" / "drive.c"
MINGW = "x86_64-w64-mingw32-gcc"
REGISTRY = r"HKLM\SYSTEM\CurrentControlSet\Control\BackupRestore\DLLPaths"
WAIT_S = 120.0


@dataclass(frozen=True)
class Machine:
    """command: runs the driver upon the agent. root: how its simulator gets the store's path."""

    command: tuple[str, ...]
    environment: dict[str, str]
    windows: bool

    def start(self, root: Path) -> subprocess.Popen[str]:
        store = drive_path(root) if self.windows else os.fspath(root)
        arguments = ["host:path=/@EXCHANGE/", "host:wait=yes"]
        return subprocess.Popen(
            [*self.command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, **self.environment, "ESESIM_ROOT": store},
        )


def compile_driver(out: Path, *compiler: str) -> Path:
    command = [*compiler, "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", f"-I{ABI}", os.fspath(DRIVER)]
    done = subprocess.run([*command, "-o", os.fspath(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def linux(simulator: Built, tmp_path: Path) -> Machine:
    agent = build.read_agent(build.ROOT / "native_agents" / "exchange")
    build.compile_agent(build.ROOT, agent, build.native(), tmp_path / "linux")
    driver = compile_driver(tmp_path / "drive", "gcc")
    command = (os.fspath(driver), os.fspath(tmp_path / "linux" / "exchange.so"), f"library={simulator.library}")
    return Machine(command, {}, windows=False)


@pytest.fixture
def wine_target() -> build.Target:
    target = build.windows()
    if os.environ.get("CI") != "true" and not (target and shutil.which("wine")):
        pytest.skip("wine64 and gcc-mingw-w64-x86-64 are not installed")
    assert target is not None
    return target


@pytest.fixture
def wine(wine_target: build.Target, tmp_path: Path) -> Iterator[Machine]:
    agent = build.read_agent(build.ROOT / "native_agents" / "exchange")
    build.compile_agent(build.ROOT, agent, wine_target, tmp_path / "dll")
    driver = compile_driver(tmp_path / "drive.exe", MINGW)
    built = compile_for_windows(tmp_path)
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    with windows(prefix) as environment:
        named = ["/v", "esebcli2", "/t", "REG_EXPAND_SZ", "/d", drive_path(built.library), "/f"]
        registered = subprocess.run(
            ["wine", "reg", "add", REGISTRY, *named],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        assert registered.returncode == 0
        yield Machine(
            ("wine", os.fspath(driver), drive_path(tmp_path / "dll" / "exchange.dll")), environment, windows=True
        )


def told(process: subprocess.Popen[str], until: str) -> list[str]:
    """Its lines up to the one that begins so, or to its end. A pipe's end may come late: wine's services keep it."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if lines[-1].startswith(until) or lines[-1].startswith("FAILED"):
            break
    return lines


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def story(machine: Machine, store: Store) -> list[str]:
    """Full, writes, Incremental, everything lost, restore of both: what is there then is what was there."""
    process = machine.start(store.root)
    try:
        lines = told(process, "next incremental")
        store.write(60, 7)
        go_on(process)
        lines += told(process, "next restore")
        content = store.dump()
        store.dismount()
        store.wipe_stream()
        go_on(process)
        lines += told(process, "done")
        assert process.wait(WAIT_S) == 0, lines
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
    assert lines[-1] == "done", lines
    assert store.dump() == content
    return lines


def saved(lines: Sequence[str]) -> list[str]:
    return [line.split(": ")[0] for line in lines if line.startswith("saved ")]


def test_the_library_of_either_system_restores_what_it_saved(linux: Machine, store: Store) -> None:
    lines = story(linux, store)
    assert lines[0] == "loaded exchange 1.0"
    assert any("databases mounted" in line for line in lines)
    assert "after a cancel: -24" in lines


@pytest.mark.slow
def test_on_windows_it_tells_the_same_story(linux: Machine, wine: Machine, simulator: Built, tmp_path: Path) -> None:
    here, there = (
        story(machine, small_store(simulator.library, tmp_path / name))
        for machine, name in ((linux, "linux-store"), (wine, "windows-store"))
    )
    assert saved(there) == saved(here)
    assert [line for line in there if line.startswith("message 2")] == [
        line for line in here if line.startswith("message 2")
    ]


def test_the_dll_needs_nothing_but_windows(wine_target: build.Target, tmp_path: Path) -> None:
    build.compile_agent(build.ROOT, build.read_agent(build.ROOT / "native_agents" / "exchange"), wine_target, tmp_path)
    command = ["x86_64-w64-mingw32-objdump", "-p", os.fspath(tmp_path / "exchange.dll")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    needed = {line.split()[-1].lower() for line in said.splitlines() if "DLL Name" in line}
    assert needed == {"kernel32.dll", "msvcrt.dll", "advapi32.dll"}
