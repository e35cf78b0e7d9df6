"""Agents and keys of a Job, as a conf or nobody names them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from filed.config import AgentConf, FileDaemon
from filed.job.description import AgentLine, AgentSetup, KeyFiles


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


def setup_of(daemon: FileDaemon | None, agents: Iterable[AgentConf] = ()) -> AgentSetup:
    """The agents of a FileDaemon resource. agents: those named outside of it, which come first."""
    lines = tuple(
        AgentLine(agent.id, agent.options, agent.limits)
        for agent in (*agents, *(daemon.agents if daemon is not None else ()))
    )
    if daemon is None:
        return default_setup(lines=lines)
    setup = default_setup((Path(daemon.plugin_directory),) if daemon.plugin_directory else (), lines)
    return AgentSetup(
        setup.lines, setup.directories, tuple(sorted(daemon.agent_digests)), float(daemon.agent_timeout_s)
    )


def keys_of(daemon: FileDaemon | None) -> KeyFiles | None:
    """The key files of a FileDaemon resource; None when it neither signs nor encrypts."""
    if daemon is None or not daemon.pki.keypair or not (daemon.pki.signatures or daemon.pki.encryption):
        return None
    pki = daemon.pki
    return KeyFiles(
        pair=Path(pki.keypair),
        masters=tuple(map(Path, pki.master_keys)),
        signers=tuple(map(Path, pki.signers)),
        encrypt=pki.encryption,
        cipher=pki.cipher.value,
        digest=pki.digest.value,
        accept_unsigned=pki.accept_unsigned,
    )
