"""Where the agents of the command line lie."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from filed.job.description import AgentLine, AgentSetup


def shipped_agents() -> Path:
    """The directory of the agents that came with this program."""
    spec = find_spec("filed")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "_agents"


def default_setup(directories: tuple[Path, ...] = (), lines: tuple[AgentLine, ...] = ()) -> AgentSetup:
    """Agents of the directories given, then the shipped ones; with no `plugin` line, the file system's."""
    return AgentSetup(
        lines=lines or (AgentLine("filesystem"),),
        directories=(*directories, shipped_agents()),
    )
