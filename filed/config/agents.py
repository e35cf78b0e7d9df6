"""The `plugin` lines of a conf: which agents a Job is offered to, in order, and each agent's options.

    plugin exchange.dll                          by file name or id, with no options
    plugin = postgresql                          the same with an equals sign
    plugin postgresql { conninfo = "..." }       options in braces, handed to the agent unread
    plugin sqlite { Fence { Nice = 10 } }        and what the agent may use, see `fence`

They stand at the top level or in FileDaemon.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from filed.config.limits import NO_LIMITS, AgentLimits, read_limits
from filed.config.resources import Block, Warnings
from filed.config.syntax import Kind, Place, Statement

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
SUFFIXES = (".so", ".dll")
DEFAULT = "filesystem"
"""The agent of a conf without plugin lines."""


@dataclass(frozen=True, slots=True)
class AgentConf:
    """id: without suffix.  options: names as the agent spells them are the host's business; here they are as written,
    and in the order written; values are not shown, as any may be a secret."""

    id: str
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    place: Place = field(default=Place(""), compare=False)
    limits: AgentLimits = NO_LIMITS


def is_plugin_line(statement: Statement) -> bool:
    """Whether this is a `plugin` line in any of its forms; `Plugin Directory` is not, even when its "=" is missing."""
    words = statement.name.lower().split()
    if statement.value is not None:
        return words == ["plugin"]
    return len(words) == 2 and words[0] == "plugin" and words[1] != "directory"


def read_agents(statements: Iterable[Statement], warnings: Warnings) -> tuple[AgentConf, ...]:
    """The agents that plugin lines name, in order.  Raises ConfigError for a name that is no agent's, or named twice."""
    agents: list[AgentConf] = []
    for statement in statements:
        agent = _read(statement, warnings)
        if any(agent.id == other.id for other in agents):
            raise statement.place.error(f'agent "{agent.id}" is named twice; put all its options in one place')
        agents.append(agent)
    return tuple(agents)


def agent_id(written: str) -> str | None:
    """The id of an agent, written with or without the suffix of any platform; None when it cannot be one."""
    name = written.lower()
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name if ID.fullmatch(name) else None


def _read(statement: Statement, warnings: Warnings) -> AgentConf:
    if statement.value is not None:
        written = "".join(piece.text for piece in statement.value)
    else:
        written = statement.name.split()[1]
    identity = agent_id(written)
    if identity is None:
        text = f'"{written}" is not the name of an agent: letters, digits and dashes, as in "plugin exchange.dll"'
        raise statement.place.error(text + "; agents are found in the Plugin Directory, never by a path")
    body = statement.body or ()
    blocks = [inner for inner in body if inner.key == "fence" and inner.body is not None]
    if len(blocks) > 1:
        raise blocks[1].place.error(f'agent "{identity}" has two Fence blocks; put all of it into one')
    options = tuple(_option(inner, identity, warnings) for inner in body if inner not in blocks)
    limits = read_limits(blocks[0], identity, warnings) if blocks else NO_LIMITS
    return AgentConf(identity, options, statement.place, limits)


def _option(statement: Statement, agent: str, warnings: Warnings) -> tuple[str, str]:
    if statement.value is None:
        raise statement.place.error(f'options of agent "{agent}" are written as: name = value')
    block = Block(Statement("", statement.place, body=(statement,)), f"plugin {agent}", warnings)
    words = [piece for piece in statement.value if piece.kind in (Kind.WORD, Kind.STRING)]
    if len(words) == len(statement.value) > 1 and all(piece.kind is Kind.WORD for piece in words):
        return statement.name, " ".join(piece.text for piece in words)  # `1 hour 30 minutes`, unlike a name's blanks
    return statement.name, block.string(statement.name)
