"""`filed` in this process: a command line in, an exit code and two texts out; and a small directory of Volumes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from filed.cli.main import run


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Filed = Callable[..., Said]


@pytest.fixture
def filed(capfd: pytest.CaptureFixture[str]) -> Filed:
    def call(*arguments: object) -> Said:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call


@dataclass(frozen=True)
class Saved:
    """JobId 1: a Full of `source` with a, b and sub/c; JobId 2: an Incremental after a changed and b was removed."""

    volumes: Path
    source: Path


@pytest.fixture
def saved(tmp_path: Path, filed: Filed) -> Saved:
    source, volumes = tmp_path / "source", tmp_path / "volumes"
    (source / "sub").mkdir(parents=True)
    (source / "a").write_text("a one")
    (source / "b").write_text("b")
    (source / "sub" / "c").write_text("c")
    os.symlink("a", source / "link")
    assert filed("backup", "-s", volumes, source).code == 0
    (source / "a").write_text("a is longer now")
    (source / "b").unlink()
    assert filed("backup", "-s", volumes, "--level", "incremental", source).code == 0
    return Saved(volumes, source)
