"""The `Fence` block of a plugin line: what an agent's code may use.

plugin sqlite {
  directory = /srv                       # the agent's own option
  Fence {
    Timeout = 5 min                      # without a sign of life; instead of the FileDaemon's Agent Timeout
    Memory Limit = 500 mb                # beyond what filed itself needs
    Nice = 10
    Environment = "LANG=C.UTF-8"         # may repeat
    User = backup                        # the agent's code, and the programs it starts, run as this user
    New Privileges = yes                 # let programs gain rights: sudo and the like
  }
}
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from filed.config.resources import Block, Warnings
from filed.config.syntax import Statement

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
MOST_NICE = 19


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """timeout_s: None, the Job's.  memory_bytes: 0, no limit.  user: "" stays who the daemon is.

    environment: (name, value), not shown, as any may be a secret.
    """

    timeout_s: float | None = None
    memory_bytes: int = 0
    nice: int = 0
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    user: str = ""
    new_privileges: bool = False


NO_LIMITS = AgentLimits()


def read_limits(statement: Statement, agent: str, warnings: Warnings) -> AgentLimits:
    """Raises ConfigError for what cannot be."""
    block = Block(statement, f"the Fence of agent {agent}", warnings)
    timeout_s = block.duration_s("Timeout")
    limits = AgentLimits(
        timeout_s=float(timeout_s) if timeout_s else None,
        memory_bytes=block.size_bytes("Memory Limit"),
        nice=block.integer("Nice", most=MOST_NICE),
        environment=_environment(block),
        user=block.string("User"),
        new_privileges=block.yes("New Privileges"),
    )
    block.finish()
    return limits


def _environment(block: Block) -> tuple[tuple[str, str], ...]:
    found = []
    for text in block.strings("Environment"):
        if not VARIABLE.match(text) or "\0" in text:
            raise block.place.error('"Environment" is written as: Environment = "NAME=value"')
        name, _, value = text.partition("=")
        found.append((name, value))
    return tuple(found)
