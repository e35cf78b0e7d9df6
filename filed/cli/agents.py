"""Where the agents of the command line lie."""

from filed.job.setup import default_setup, shipped_agents

__all__ = ["default_setup", "shipped_agents"]
