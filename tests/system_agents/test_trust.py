"""Whose code a Job runs: libraries that others could replace are refused, and the message says which part of the path."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from filed.process.outcome import JobStatus
from tests.agents.compile import ROOT as PROJECT
from tests.system_agents.jobs import Place, Ran, line

NOBODY = 65534


@pytest.fixture
def own(tmp_path: Path, agents_dir: Path) -> Path:
    """A directory of our own with the good agent."""
    directory = tmp_path / "plugins"
    directory.mkdir(mode=0o755)
    shutil.copy(agents_dir / "good.so", directory / "good.so")
    (directory / "good.so").chmod(0o755)
    return directory


def save(tmp_path: Path, directory: Path) -> Ran:
    return Place(tmp_path / "volumes", (directory,)).backup(line("good"), files=[b"/@GOOD"])


def test_a_library_of_our_own_is_loaded(tmp_path: Path, own: Path) -> None:
    assert save(tmp_path, own).outcome.status is JobStatus.OK


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_directory_that_others_could_write_to_is_refused_by_name(tmp_path: Path, own: Path, mode: int) -> None:
    own.chmod(mode)
    ran = save(tmp_path, own)
    assert ran.outcome.status is JobStatus.FATAL
    assert (
        ran.outcome.text == f"agent good: load: not loaded: {own} can be written by group or others; chmod go-w {own}"
    )
    assert ran.job is not None
    assert ran.job.status == "f"


def test_a_library_that_others_could_write_is_refused_by_name(tmp_path: Path, own: Path) -> None:
    (own / "good.so").chmod(0o777)
    ran = save(tmp_path, own)
    assert ran.outcome.status is JobStatus.FATAL
    assert f"{own / 'good.so'} can be written by group or others" in ran.outcome.text


def test_a_directory_above_that_others_could_write_to_is_refused_by_name(tmp_path: Path, own: Path) -> None:
    inner = own / "inner"
    inner.mkdir()
    (own / "good.so").rename(inner / "good.so")
    own.chmod(0o777)
    ran = save(tmp_path, inner)
    assert ran.outcome.status is JobStatus.FATAL
    assert f"not loaded: {own} can be written" in ran.outcome.text


def test_a_link_to_a_library_in_a_place_that_others_could_write_to_is_refused(tmp_path: Path, own: Path) -> None:
    loose = tmp_path / "loose"
    loose.mkdir()
    (own / "good.so").rename(loose / "good.so")
    loose.chmod(0o777)
    (own / "good.so").symlink_to(loose / "good.so")
    ran = save(tmp_path, own)
    assert ran.outcome.status is JobStatus.FATAL
    assert f"not loaded: {loose} can be written" in ran.outcome.text


@pytest.mark.root
def test_a_library_of_somebody_else_is_refused_with_his_number(tmp_path: Path, own: Path) -> None:
    shutil.chown(own / "good.so", NOBODY)
    ran = save(tmp_path, own)
    assert ran.outcome.status is JobStatus.FATAL
    assert f"{own / 'good.so'} belongs to user {NOBODY}" in ran.outcome.text


@pytest.mark.root
def test_a_checkout_that_belongs_to_a_user_works_for_root(tmp_path: Path) -> None:
    """Its owner can replace filed itself; so his agents are as good as his filed."""
    checkout = tmp_path / "checkout"
    shutil.copytree(PROJECT / "filed", checkout / "filed", ignore=shutil.ignore_patterns("__pycache__", "tmp*"))
    for path in (checkout, *checkout.rglob("*")):
        shutil.chown(path, NOBODY, NOBODY)
    for part in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        if part.name.startswith(("pytest-", "test_")):
            part.chmod(0o755)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("content")
    arguments = [
        sys.executable,
        "-c",
        "from filed.cli.main import main; main()",
        "backup",
        "-s",
        str(tmp_path / "volumes"),
    ]
    done = subprocess.run(
        [*arguments, str(tmp_path / "source")], cwd=checkout, capture_output=True, text=True, timeout=60
    )
    where = subprocess.run(
        [sys.executable, "-c", "import filed; print(filed.__file__)"], cwd=checkout, capture_output=True, text=True
    )
    assert where.stdout.startswith(str(checkout))
    assert done.returncode == 0, done.stderr
    assert "2 files" in done.stdout
