"""Where the command line finds agents."""

from __future__ import annotations

from pathlib import Path

from filed.cli.agents import default_setup, shipped_agents
from filed.job.description import AgentLine


def test_the_agents_that_came_with_the_program_lie_beside_its_code() -> None:
    assert shipped_agents().name == "_agents"
    assert (shipped_agents() / "filesystem.so").is_file()


def test_without_a_plugin_line_it_is_the_file_systems_agent() -> None:
    assert default_setup().lines == (AgentLine("filesystem"),)


def test_directories_given_come_before_the_shipped_ones() -> None:
    lines = (AgentLine("exchange", (("timeout", "5"),)),)
    setup = default_setup((Path("/opt/agents"),), lines)
    assert setup.directories == (Path("/opt/agents"), shipped_agents())
    assert setup.lines == lines
