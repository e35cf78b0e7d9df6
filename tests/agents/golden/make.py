"""The golden agents as binaries: made once of each release, from its frozen header, and committed.

    python tests/agents/golden/make.py 1.0       golden-1.0/golden.so and golden.dll, and their place in manifest.json

The same compilers make the same bytes: nothing of directory, time or host is in them. A binary is never made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
COMMON = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O2", "-g0", "-shared", "-s", "-I."]
COMMANDS = {
    "golden.so": ["gcc", *COMMON, "-fPIC", "-fvisibility=hidden", "-Wl,--build-id=none"],
    "golden.dll": [
        "x86_64-w64-mingw32-gcc", *COMMON, "-static", "-Wl,--no-insert-timestamp", "-Wl,--disable-auto-image-base",
    ],
}  # fmt: skip


def make(version: str, out: Path) -> dict[str, Path]:
    """Compiles both into `out`, from a directory that holds the source and the frozen header under their plain names."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copyfile(ROOT / "abi" / "history" / f"bplugin-{version}.h", Path(scratch) / "bplugin.h")
        shutil.copyfile(HERE.parent / "c" / f"golden-{version}.c", Path(scratch) / "golden.c")
        environment = os.environ | {"SOURCE_DATE_EPOCH": "0", "LC_ALL": "C"}
        for name, command in COMMANDS.items():
            subprocess.run([*command, "golden.c", "-o", name], cwd=scratch, env=environment, check=True)
            shutil.copyfile(Path(scratch) / name, out / name)
    return {name: out / name for name in COMMANDS}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def compiler(command: list[str]) -> str:
    said = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=True)
    return said.stdout.splitlines()[0]


def main() -> None:
    version = sys.argv[1]
    out = HERE / f"golden-{version}"
    out.mkdir()
    manifest = HERE / "manifest.json"
    known = json.loads(manifest.read_text()) if manifest.exists() else {}
    known[version] = {
        "source": {
            name: sha256(ROOT / name)
            for name in (f"tests/agents/c/golden-{version}.c", f"abi/history/bplugin-{version}.h")
        },
        "binaries": {
            name: {
                "sha256": sha256(path),
                "bytes": path.stat().st_size,
                "compiler": compiler(COMMANDS[name]),
                "command": " ".join(COMMANDS[name]),
            }
            for name, path in make(version, out).items()
        },
    }
    manifest.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
