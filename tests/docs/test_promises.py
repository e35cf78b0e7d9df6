"""docs/promises.md: every promise has a number and tests, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "promises.md"
PROMISE = re.compile(r"^(\d+)\. \*\*")
PROOF = re.compile(r"^ +- `([\w/.]+): (test_\w+)`$")


def promises() -> dict[int, list[tuple[str, str]]]:
    """Number -> its tests."""
    found: dict[int, list[tuple[str, str]]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if promise := PROMISE.match(line):
            assert int(promise[1]) not in found
            found[int(promise[1])] = []
        elif proof := PROOF.match(line):
            found[max(found)].append((proof[1], proof[2]))
        else:
            assert "test_" not in line, f"this names a test in another form: {line}"
    return found


def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")}


def test_promises_are_numbered_without_a_gap() -> None:
    assert list(promises()) == list(range(1, len(promises()) + 1))


def test_every_promise_has_a_test_and_every_test_is_there() -> None:
    for number, proofs in promises().items():
        assert proofs, f"promise {number} has no test"
        for file, name in proofs:
            path = ROOT / "tests" / file
            assert path.is_file(), f"promise {number}: there is no {file}"
            assert name in names_in(path), f"promise {number}: there is no {name} in {file}"
