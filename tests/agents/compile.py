"""Compiles a small agent against `abi/`, with the warnings every agent of ours is held to."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ABI = ROOT / "abi"
SOURCES = ROOT / "tests" / "agents" / "c"

WARNINGS = ["-Wall", "-Wextra", "-Werror"]


def compile_agent(
    source: str | Path,
    out_dir: Path,
    name: str,
    defines: Sequence[str] = (),
    *,
    flags: Sequence[str] = (),
    include: Path = ABI,
) -> Path:
    """The library `out_dir/name.so`, made from `source`.

    source: a path, or the bare name of a file in tests/agents/c. `.cc` is compiled as C++17, anything else as C11.
    defines: `NAME` or `NAME=VALUE`. flags: further compiler arguments, after the source, so that `-l` works.
    include: where bplugin.h is; a directory with a frozen header makes an agent of that time.
    Raises AssertionError with the compiler's words.
    """
    path = Path(source) if Path(source).is_absolute() else SOURCES / source
    out = out_dir / f"{name}.so"
    compiler = ["g++", "-std=c++17"] if path.suffix == ".cc" else ["gcc", "-std=gnu11"]
    # Written beside and renamed: a library that some process has mapped is never written into.
    with tempfile.TemporaryDirectory(dir=out_dir) as scratch:
        made = Path(scratch) / out.name
        command = [
            *compiler,
            "-O1",
            "-g",
            "-shared",
            "-fPIC",
            "-fvisibility=hidden",
            *WARNINGS,
            f"-I{include}",
            f"-I{ABI}",
            *(f"-D{define}" for define in defines),
            str(path),
            "-o",
            str(made),
            "-lpthread",
            *flags,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
        made.chmod(0o755)
        made.replace(out)
    return out
