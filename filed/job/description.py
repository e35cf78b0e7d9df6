"""What a job process is asked to do: frozen values, made by the command line or by a Director's session."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from filed.catalog import Level
from filed.fileset import FileSet


class Replace(StrEnum):
    """What a restore does with a file that is there already."""

    ALWAYS = "always"
    IFNEWER = "ifnewer"
    IFOLDER = "ifolder"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class AgentLine:
    """One `plugin` line: an agent's id as written, and the options in its braces."""

    name: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AgentSetup:
    """The agents a Job is offered to, in order, and where their libraries lie."""

    lines: tuple[AgentLine, ...] = (AgentLine("filesystem"),)
    directories: tuple[Path, ...] = ()
    digests: tuple[str, ...] = ()  # SHA-256 of the libraries that may be loaded; none: any trusted one
    timeout_s: float = 600.0


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """PEM files for signatures and encryption: our own pair, further readers, further signers."""

    pair: Path
    masters: tuple[Path, ...] = ()
    signers: tuple[Path, ...] = ()
    encrypt: bool = True
    cipher: str = "aes128"
    digest: str = "sha256"


@dataclass(frozen=True, slots=True)
class BackupJob:
    """Save what a FileSet names into a Volume directory."""

    directory: Path
    name: str
    client: str
    level: Level
    fileset: FileSet
    agents: AgentSetup
    keys: KeyFiles | None = None
    max_volume_bytes: int = 0  # 0: a Volume grows without a bound


@dataclass(frozen=True, slots=True)
class RestoreJob:
    """Bring back the tree as it was at one Job, or the parts of it below some paths."""

    directory: Path
    jobid: int
    where: Path
    agents: AgentSetup
    paths: tuple[bytes, ...] = ()
    replace: Replace = Replace.ALWAYS
    keys: KeyFiles | None = None


@dataclass(frozen=True, slots=True)
class VerifyJob:
    """Read the records of Jobs back from their Volumes and check them; with `disk`, compare the tree of one with the disk."""

    directory: Path
    jobids: tuple[int, ...]
    agents: AgentSetup
    disk: bool = False
    keys: KeyFiles | None = None


__all__ = [
    "AgentLine",
    "AgentSetup",
    "BackupJob",
    "JobDescription",
    "KeyFiles",
    "Level",
    "Replace",
    "RestoreJob",
    "VerifyJob",
]

JobDescription = BackupJob | RestoreJob | VerifyJob
