"""Compiles the simulator: a library beside which the agent runs, and the driver for a shell. For Linux, or with mingw for Windows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
INTERFACE = HERE.parents[1] / "native_agents" / "exchange"

WARNINGS = ["-Wall", "-Wextra", "-Werror"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
LIBRARY = sorted(path for path in HERE.glob("*.c") if path.name != "main.c")
DRIVER = [HERE / "main.c", HERE / "lines.c"]


@dataclass(frozen=True, slots=True)
class Built:
    """library: libesesim.so or esebcli2.dll. driver: the program esesim, which looks for the library beside itself."""

    library: Path
    driver: Path


def compile_simulator(out_dir: Path, *, sanitize: bool = False) -> Built:
    """For this machine. Raises AssertionError with the compiler's words."""
    flags = ["-std=gnu11", "-O1" if sanitize else "-O2", "-g", "-fPIC", *(SANITIZED if sanitize else [])]
    built = Built(out_dir / "libesesim.so", out_dir / "esesim")
    _compile(["gcc", *flags, "-shared"], LIBRARY, built.library)
    _compile(["gcc", *flags, "-Wl,-rpath,$ORIGIN"], [*DRIVER, built.library], built.driver)
    return built


def compile_for_windows(out_dir: Path) -> Built:
    """With Debian's gcc-mingw-w64-x86-64. Raises AssertionError with the compiler's words."""
    flags = ["x86_64-w64-mingw32-gcc", "-std=gnu11", "-O2", "-s", "-static", "-Wl,--no-insert-timestamp"]
    built = Built(out_dir / "esebcli2.dll", out_dir / "esesim.exe")
    _compile([*flags, "-shared"], LIBRARY, built.library)
    _compile([*flags, "-municode"], [*DRIVER, built.library], built.driver)
    return built


def _compile(compiler: Sequence[str], sources: Sequence[Path], out: Path) -> None:
    libraries = ["-ladvapi32"] if out.suffix in {".dll", ".exe"} else []
    command = [
        *compiler,
        "-fvisibility=hidden",
        "-D_FILE_OFFSET_BITS=64",
        *WARNINGS,
        f"-I{INTERFACE}",
        *(str(source) for source in sources),
        "-o",
        str(out),
        *libraries,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
