"""What a job process is asked to do: frozen values, made by the command line or by a Director's session, and sent to it (`process.codec`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from filed.catalog import CATALOG_FILE, Level
from filed.config.keys import NO_TLS, Tls
from filed.config.limits import NO_LIMITS, AgentLimits
from filed.fileset import FileSet
from filed.wire.restore_object import RestoreObject
from filed.wire.version import V9_6_7


class Replace(StrEnum):
    """What a restore does with a file that is there already."""

    ALWAYS = "always"
    IFNEWER = "ifnewer"
    IFOLDER = "ifolder"
    NEVER = "never"


class VerifyLevel(StrEnum):
    """What a Director has verified, in its words. The first three look at the disk, the others at the Volumes of a Job."""

    INIT = "init"
    CATALOG = "catalog"
    DISK = "disk_to_catalog"
    VOLUME = "volume"
    DATA = "data"

    @property
    def reads_volumes(self) -> bool:
        return self in (VerifyLevel.VOLUME, VerifyLevel.DATA)


@dataclass(frozen=True, slots=True)
class AgentLine:
    """One `plugin` line: an agent's id as written, the options in its braces, and what it may use."""

    name: str
    options: tuple[tuple[str, str], ...] = ()
    limits: AgentLimits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class AgentSetup:
    """The agents a Job is offered to, in order, and where their libraries lie."""

    lines: tuple[AgentLine, ...] = (AgentLine("filesystem"),)
    directories: tuple[Path, ...] = ()
    digests: tuple[str, ...] = ()  # SHA-256 of the libraries that may be loaded; none: any trusted one
    timeout_s: float = 600.0


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """PEM files for signatures and encryption: our own pair, further readers, further signers.

    encrypt: a backup encrypts, and a restore refuses content in the clear.  accept_unsigned: a restore takes content that
    carries no signature of a known signer, encrypted or not: of Jobs older than the keys.
    """

    pair: Path
    masters: tuple[Path, ...] = ()
    signers: tuple[Path, ...] = ()
    encrypt: bool = True
    accept_unsigned: bool = False
    cipher: str = "aes128"
    digest: str = "sha256"


@dataclass(frozen=True, slots=True)
class Places:
    """What a Job without a Director needs, and where that is. volumes: a directory.  catalog: a file.

    scratch: a directory for tables of the Job's own.  postmortems: a directory for what a crash leaves.
    volume_keys: files, or directories of files, that open encrypted Volumes.
    """

    volumes: Path
    catalog: Path
    scratch: Path
    postmortems: Path
    volume_keys: tuple[Path, ...] = ()

    @classmethod
    def within(cls, directory: Path, volume_keys: tuple[Path, ...] = ()) -> Places:
        """All of it in the directory of Volumes."""
        return cls(directory, directory / CATALOG_FILE, directory, directory, volume_keys)


@dataclass(frozen=True, slots=True)
class BackupJob:
    """Save what a FileSet names into a Volume directory."""

    places: Places
    name: str
    client: str
    level: Level
    fileset: FileSet
    agents: AgentSetup
    keys: KeyFiles | None = None
    max_volume_bytes: int = 0  # 0: a Volume grows without a bound
    plain: bool = False  # may build on an encrypted Job without being encrypted itself
    level_asked: bool = True  # else a first Job is a Full without a word

    @property
    def encrypts(self) -> bool:
        return self.keys is not None and self.keys.encrypt


@dataclass(frozen=True, slots=True)
class DryRun:
    """List and count what a backup would save."""

    backup: BackupJob

    @property
    def places(self) -> Places:
        return self.backup.places

    @property
    def agents(self) -> AgentSetup:
        return self.backup.agents

    @property
    def fileset(self) -> FileSet:
        return self.backup.fileset


@dataclass(frozen=True, slots=True)
class RestoreJob:
    """Bring back the tree as it was at one Job, or the parts of it below some paths.

    options: for this restore: agent, key and value.  dry_run: nothing is restored; agents say whether they could.
    """

    places: Places
    jobid: int
    where: Path
    agents: AgentSetup
    paths: tuple[bytes, ...] = ()
    replace: Replace = Replace.ALWAYS
    keys: KeyFiles | None = None
    options: tuple[tuple[str, str, str], ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class VerifyJob:
    """Read the records of Jobs back from their Volumes and check them; with `disk`, compare the tree of one with the disk."""

    places: Places
    jobids: tuple[int, ...]
    agents: AgentSetup
    disk: bool = False
    keys: KeyFiles | None = None


@dataclass(frozen=True, slots=True)
class DirectorJob:
    """Whose Job it is, as the Director names it. client: our own name.  work: the directory for lists and sealed states."""

    job_id: int
    job: str  # the unique name
    name: str
    director: str
    client: str
    work: Path
    vol_session_id: int = 0
    vol_session_time: int = 0


@dataclass(frozen=True, slots=True)
class StorageDaemon:
    """Where a Storage Daemon listens, and the key that it knows us by. The rest is of our own conf.

    compress: lines that we send.  keepalive_s: see transport.Connection.  protocol: the number of the version that is spoken.
    """

    address: str
    port: int
    key: str = field(repr=False)
    tls: Tls = NO_TLS
    source: str = ""
    connect_timeout_s: float = 1800.0
    compress: bool = False
    keepalive_s: int = 0
    protocol: int = V9_6_7.number


class ListMeaning(StrEnum):
    """What the entries of a Director's accurate list are."""

    TREE = "tree"  # at the Job it builds on; what is gone since is reported
    BASE = "base"  # of Base Jobs, for a Full that needs not send them again
    SENT = "sent"  # by the earlier run of an incomplete Full


@dataclass(frozen=True, slots=True)
class Changes:
    """What a Director takes for changed. since: epoch seconds, 0 for a Full.  accurate: the file with its list, if it sent one.

    sent: how many entries an earlier run of this Job sent; FileIndexes go on behind them.
    attribute_updates: attributes may be sent without their content, where the accurate letters have an `o`.
    """

    since: int = 0
    base_job: str = ""
    accurate: Path | None = None
    meaning: ListMeaning = ListMeaning.TREE
    sent: int = 0
    attribute_updates: bool = False


@dataclass(frozen=True, slots=True)
class OpeningJob:
    """A Job of which a Director has named the Storage Daemon: it is called now, and what the Job is comes later."""

    who: DirectorJob
    agents: AgentSetup
    storage: StorageDaemon


@dataclass(frozen=True, slots=True)
class NetworkTest:
    """Measure the way to a Storage Daemon. size: bytes, there and back.  packets: small ones, there and back."""

    who: DirectorJob
    agents: AgentSetup
    storage: StorageDaemon
    size: int
    packets: int


@dataclass(frozen=True, slots=True)
class EstimateJob:
    """Count what a backup would save, and list it if asked to. limit: of lines, 0 for all. by_mtime: the time that they show.

    browse: list this directory alone, b"" for the topmost names.
    """

    who: DirectorJob
    level: Level
    fileset: FileSet
    agents: AgentSetup
    changes: Changes
    listing: bool = False
    limit: int = 0
    by_mtime: bool = False
    browse: bytes | None = None


@dataclass(frozen=True, slots=True)
class NetworkBackup:
    """Save what a Director's FileSet names to a Storage Daemon."""

    who: DirectorJob
    level: Level
    fileset: FileSet
    agents: AgentSetup
    changes: Changes
    storage: StorageDaemon
    keys: KeyFiles | None = None


@dataclass(frozen=True, slots=True)
class NetworkRestore:
    """Bring back what a Director has a Storage Daemon send. Further rounds are told while the Job runs.

    where: b"" as saved.  regexwhere: how names change instead.  objects: what agents get before their files.
    options: for this restore: agent, key and value.
    """

    who: DirectorJob
    agents: AgentSetup
    storage: StorageDaemon
    where: bytes = b""
    regexwhere: bytes = b""
    prelinks: bool = False
    replace: Replace = Replace.ALWAYS
    objects: tuple[RestoreObject, ...] = ()
    keys: KeyFiles | None = None
    options: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkVerify:
    """Tell a Director what the disk or a Job's Volumes hold, or check a Job's data.

    fileset: of the disk.  storage: of the Volumes.  accurate: the file with what the catalog has of the Job, if the Director sent it.
    """

    who: DirectorJob
    level: VerifyLevel
    agents: AgentSetup
    fileset: FileSet | None = None
    storage: StorageDaemon | None = None
    accurate: Path | None = None
    keys: KeyFiles | None = None


JobDescription = (
    BackupJob
    | DryRun
    | RestoreJob
    | VerifyJob
    | EstimateJob
    | OpeningJob
    | NetworkBackup
    | NetworkRestore
    | NetworkVerify
    | NetworkTest
)
LocalJob = BackupJob | DryRun | RestoreJob | VerifyJob


def uses_storage(job: JobDescription) -> bool:
    """Whether the Job needs the Storage Daemon that its Director has named."""
    verifies = isinstance(job, NetworkVerify) and job.storage is not None
    return verifies or isinstance(job, NetworkBackup | NetworkRestore | NetworkTest)


__all__ = [
    "AgentLine",
    "AgentSetup",
    "BackupJob",
    "Changes",
    "DirectorJob",
    "DryRun",
    "EstimateJob",
    "JobDescription",
    "KeyFiles",
    "Level",
    "ListMeaning",
    "LocalJob",
    "NetworkBackup",
    "NetworkRestore",
    "NetworkTest",
    "NetworkVerify",
    "OpeningJob",
    "Places",
    "Replace",
    "RestoreJob",
    "StorageDaemon",
    "VerifyJob",
    "VerifyLevel",
    "uses_storage",
]
