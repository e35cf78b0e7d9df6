"""The libraries that tests need in a Windows Python, compiled with mingw beforehand: `python -m tests.windows_libraries DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.esesim.compile import Built, compile_for_windows

WHERE = Path(__file__).resolve().parents[1] / ".peers" / "windows-libraries"


def simulator() -> Built:
    """Of Exchange, as `main` made it."""
    return Built(WHERE / "esebcli2.dll", WHERE / "esesim.exe")


def main(out: Path = WHERE) -> None:
    out.mkdir(parents=True, exist_ok=True)
    compile_for_windows(out)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
