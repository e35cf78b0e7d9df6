"""What pyproject.toml cannot say: compile the agents first, and the wheel is for this platform but for any Python 3."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).resolve().parent))  # an isolated build does not look here

import build


class BuildWithAgents(build_py):
    """Agents and headers lie below filed/ before setuptools looks for the package's data."""

    def run(self) -> None:
        build.build()
        super().run()


class PlatformWheel(bdist_wheel):
    """Agents are loaded by ctypes: they are bound to the machine, not to a version of Python."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


class PlatformDistribution(Distribution):
    """Has compiled parts, so it is installed where those go."""

    def has_ext_modules(self) -> bool:
        return True


setup(cmdclass={"build_py": BuildWithAgents, "bdist_wheel": PlatformWheel}, distclass=PlatformDistribution)
