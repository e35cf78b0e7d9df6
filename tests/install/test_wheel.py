"""The wheel: built from a copy of the project, installed where nothing else is, and used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    *("abi", "filed", "native_agents", "native_host"),
    *("build.py", "setup.py", "pyproject.toml", "MANIFEST.in"),
    *("README.md", "CHANGELOG.md", "LICENSE", "NOTICE"),
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


def run(*command: str | Path, cwd: Path) -> str:
    """A program's stdout; what it wrote is the failure's text."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy without anything that was built."""
    copy = tmp_path_factory.mktemp("project")
    built = shutil.ignore_patterns("__pycache__", "_agents", "_native", "_sdk")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=built)
        else:
            shutil.copyfile(ROOT / part, copy / part)
    return copy


@pytest.fixture(scope="module")
def wheel(project: Path) -> Path:
    out = project / "out"
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", out, ".", cwd=project)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def filed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program `filed` of an environment that holds the wheel and what it requires."""
    venv = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=venv)
    pip = (sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "--disable-pip-version-check")
    run(*pip, "install", "--retries", "5", wheel, cwd=venv)
    return venv / "bin" / "filed"


def test_the_wheel_is_for_this_platform_and_any_python_3(wheel: Path) -> None:
    assert wheel.name.startswith("filed-")
    assert wheel.name.split("-", 2)[2].startswith("py3-none-linux_")


def test_the_wheel_holds_every_module_the_agent_the_headers_and_the_licences(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "filed").rglob("*.py")}
    assert modules <= names
    assert {
        "filed/_agents/exchange.so",
        "filed/_agents/filesystem.so",
        "filed/_agents/pipe.so",
        "filed/_agents/sqlite.so",
        "filed/_native/postmortem.so",
        "filed/_sdk/bplugin.h",
        "filed/_sdk/bplugin_sdk.h",
        "filed/py.typed",
    } <= names
    templates = {path.relative_to(ROOT).as_posix() for path in (ROOT / "filed/cli/agent_templates").rglob("*.*")}
    assert "filed/cli/agent_templates/rust/bplugin.rs" in templates
    assert templates <= names
    assert {Path(name).name for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}
    assert not [name for name in names if name.startswith(("tests", "tools", "build", "setup"))]


def test_a_module_that_is_gone_is_not_in_the_next_wheel(project: Path, wheel: Path, tmp_path: Path) -> None:
    """The directory setuptools collects in is still there from the first one."""
    extra = project / "filed" / "passing.py"
    for there in (True, False):
        extra.touch() if there else extra.unlink()
        out = tmp_path / str(there)
        run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", out, ".", cwd=project)
        (made,) = out.glob("*.whl")
        assert ("filed/passing.py" in zipfile.ZipFile(made).namelist()) is there


def test_a_source_distribution_builds_the_same_wheel(project: Path, wheel: Path, tmp_path: Path) -> None:
    # Not `python -m build`: there it would run this project's build.py.
    run(Path(sys.executable).with_name("pyproject-build"), "--no-isolation", "-o", tmp_path, ".", cwd=project)
    (again,) = tmp_path.glob("*.whl")

    def contents(path: Path) -> dict[str, bytes]:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    assert contents(again) == contents(wheel)


def test_an_installed_filed_backs_up_and_restores(filed: Path, tmp_path: Path) -> None:
    tree, store, where = tmp_path / "tree", tmp_path / "volumes", tmp_path / "back"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "text").write_bytes(b"all of it\n" * 10_000)
    (tree / "link").symlink_to("deep/text")
    os.link(tree / "deep" / "text", tree / "twin")
    job = json.loads(run(filed, "backup", "-s", store, "--level", "full", "--json", tree, cwd=tmp_path))
    assert job["status"] == "T"
    run(filed, "restore", "-s", store, "latest", "--where", where, "--json", cwd=tmp_path)
    back = where / tree.relative_to("/")
    assert (back / "deep" / "text").read_bytes() == (tree / "deep" / "text").read_bytes()
    assert (back / "link").readlink() == Path("deep/text")
    assert (back / "twin").stat().st_ino == (back / "deep" / "text").stat().st_ino


def test_an_installed_filed_uses_its_own_agent(filed: Path, tmp_path: Path) -> None:
    ask = "import filed, sys; print(filed.__file__)"
    where = Path(run(filed.with_name("python"), "-c", ask, cwd=tmp_path).strip()).parent
    assert where.is_relative_to(filed.parents[1])
    assert (where / "_agents" / "filesystem.so").stat().st_mode & 0o022 == 0
