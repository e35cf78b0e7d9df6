"""The lock file and the bill of materials of a release: about the packages that pyproject.toml asks for. `tools/lock` makes both."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def locked() -> dict[str, str]:
    text = (ROOT / "requirements.lock").read_text()
    return {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+) ", text, re.MULTILINE)}


def test_the_lock_has_every_package_in_a_version_that_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = map(Requirement, (*project["dependencies"], *project["optional-dependencies"]["metrics"]))
    found = locked()
    asked = (each for each in asked if each.marker is None or each.marker.evaluate())
    assert [str(each) for each in asked if found.get(canonicalize_name(each.name)) not in each.specifier] == []


def test_each_package_of_the_lock_has_a_hash() -> None:
    entries = re.split(r"^(?=[\w.-]+==)", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    assert [entry for entry in entries if entry.strip() and "--hash=sha256:" not in entry] == []


def test_the_bill_of_materials_is_that_of_the_lock() -> None:
    bill = json.loads((ROOT / "sbom.cdx.json").read_text())
    assert {canonicalize_name(each["name"]): each["version"] for each in bill["components"]} == locked()
    assert all(each["licenses"] for each in bill["components"])
