"""What pyproject.toml cannot say: compile the agents first, and the wheel is for this platform but for any Python 3."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from setuptools import Distribution, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).resolve().parent))  # an isolated build does not look here

import build


class BuildWithAgents(build_py):
    """Agents and headers lie below filed/ before setuptools looks for the package's data."""

    def run(self) -> None:
        build.build()
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)  # else a module that is gone stays in the wheel
        super().run()


class PlatformWheel(bdist_wheel):
    """Agents are loaded by ctypes: they are bound to the machine, not to a version of Python."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


class PlatformDistribution(Distribution):
    """Has compiled parts, so it is installed where those go."""

    def has_ext_modules(self) -> bool:
        return True


# They hold no Python, so setuptools does not find them; and it looks for them before anything is built.
FILLED_BY_BUILD = ("_agents", "_native", "_sdk")
for directory in FILLED_BY_BUILD:
    (build.ROOT / "filed" / directory).mkdir(mode=0o755, exist_ok=True)

setup(
    packages=[*find_packages(include=["filed", "filed.*"]), *(f"filed.{directory}" for directory in FILLED_BY_BUILD)],
    cmdclass={"build_py": BuildWithAgents, "bdist_wheel": PlatformWheel},
    distclass=PlatformDistribution,
)
