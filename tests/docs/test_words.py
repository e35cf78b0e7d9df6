"""Messages, documents and comments say things in everyday words: what was replaced does not come back."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPLACED = (
    "means nothing here: ",
    "is sent away",
    "what no job process sends",
    "died without a word",
    "once more",
    "gone on with",
    "does not survive",
    "brought to the disk",
    "stands upon",
    "upon a Full",
    "built upon",
    "may be used so",
    "is told and counted",
    "are told and counted",
    "let go when",
    "all the same",
)
WHERE = ("filed", "native_agents", "native_host", "docs", "README.md", "abi/bplugin_sdk.h")


def texts() -> dict[str, str]:
    listed = subprocess.run(["git", "ls-files", *WHERE], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [
        path for path in listed.stdout.splitlines() if Path(path).suffix in {".py", ".c", ".h", ".md", ".toml", ".rs"}
    ]
    return {path: (ROOT / path).read_text(encoding="utf-8") for path in paths}


def test_no_replaced_phrase_has_come_back() -> None:
    pattern = re.compile("|".join(rf"\b{re.escape(phrase)}" for phrase in REPLACED))
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for path, text in texts().items()
        for match in pattern.finditer(text)
    ]
    assert found == []
