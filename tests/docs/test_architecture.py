"""docs/architecture.md is true: each file that it names is there, and the import order is the one that the linter holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
NAMED = sorted(set(re.findall(r"`([a-z_]+/[\w/.-]*|[a-z_]+\.(?:py|toml))`", PAGE)))


@pytest.mark.parametrize("name", NAMED)
def test_what_the_page_names_is_there(name: str) -> None:
    assert (ROOT / name).exists() or (ROOT / "filed" / name).exists()


def test_each_room_stands_in_the_table() -> None:
    rooms = {f"{path.parent.name}/" for path in (ROOT / "filed").glob("*/__init__.py") if path.parent.name[0] != "_"}
    jobs = {f"job/{path.parent.name}/" for path in (ROOT / "filed" / "job").glob("*/__init__.py")}
    assert rooms | jobs <= set(re.findall(r"^\| `([\w/]+/)`", PAGE, re.MULTILINE))


def test_the_import_order_is_that_of_the_linter() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    whole, job = (
        " > ".join(layer.replace("filed.job.", "").replace("filed.", "").replace(" :", ",") for layer in one["layers"])
        for one in contracts
        if one["type"] == "layers"
    )
    assert f"    {whole}\n" in PAGE
    assert f"    job: {job}\n" in PAGE
