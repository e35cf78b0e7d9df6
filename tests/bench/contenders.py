"""The programs that are compared, each with its own defaults; a repository is made outside of the measured time."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Protocol

FILED = Path(sys.executable).with_name("filed")


class Contender(Protocol):
    """One program with its settings. `repository` is a new, empty directory of its own."""

    name: str
    env: dict[str, str]

    def prepare(self, repository: Path) -> None: ...
    def full(self, repository: Path, tree: Path) -> list[str]: ...
    def again(self, repository: Path, tree: Path) -> list[str]: ...
    def restore(self, repository: Path, where: Path) -> list[str]: ...


class Filed:
    """`filed backup`: all of its defaults but the compression; ends with everything on the disk (fsync)."""

    def __init__(self, compression: str) -> None:
        self.name = f"filed {compression}"
        self.env: dict[str, str] = {}
        self._compression = compression

    def prepare(self, repository: Path) -> None:
        pass

    def _backup(self, repository: Path, tree: Path, level: str) -> list[str]:
        options = ["--level", level, "--compress", self._compression, "--json"]
        return [str(FILED), "backup", "-s", str(repository / "volumes"), *options, str(tree)]

    def full(self, repository: Path, tree: Path) -> list[str]:
        return self._backup(repository, tree, "full")

    def again(self, repository: Path, tree: Path) -> list[str]:
        return self._backup(repository, tree, "incremental")

    def restore(self, repository: Path, where: Path) -> list[str]:
        return [str(FILED), "restore", "-s", str(repository / "volumes"), "latest", "--where", str(where), "--json"]


class Restic:
    """`restic backup`: compression auto (zstd), always encrypts; syncs its pack files."""

    name = "restic"

    def __init__(self) -> None:
        self.env = {"RESTIC_PASSWORD": "bench"}

    def prepare(self, repository: Path) -> None:
        self.env["RESTIC_REPOSITORY"] = str(repository / "repo")
        self.env["RESTIC_CACHE_DIR"] = str(repository / "cache")
        subprocess.run(["restic", "init", "--quiet"], env={**os.environ, **self.env}, check=True)

    def full(self, repository: Path, tree: Path) -> list[str]:
        return ["restic", "backup", "--quiet", str(tree)]

    again = full

    def restore(self, repository: Path, where: Path) -> list[str]:
        return ["restic", "restore", "latest", "--quiet", "--target", str(where)]


class Borg:
    """`borg create`: no encryption (its fastest way), lz4; syncs its segments."""

    name = "borg"

    def __init__(self) -> None:
        self.env: dict[str, str] = {}

    def prepare(self, repository: Path) -> None:
        self.env["BORG_BASE_DIR"] = str(repository / "base")
        self.env["BORG_REPO"] = str(repository / "repo")
        self.env["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "yes"
        subprocess.run(["borg", "init", "--encryption", "none"], env={**os.environ, **self.env}, check=True)

    def full(self, repository: Path, tree: Path) -> list[str]:
        return ["borg", "create", "::full", str(tree)]

    def again(self, repository: Path, tree: Path) -> list[str]:
        return ["borg", "create", "::again", str(tree)]

    def restore(self, repository: Path, where: Path) -> list[str]:
        return ["bash", "-c", f"cd {shlex.quote(str(where))} && exec borg extract ::again"]


class TarPigz:
    """`tar --listed-incremental | pigz`, level 6: no index, no digests, nothing synced."""

    name = "tar + pigz"

    def __init__(self) -> None:
        self.env: dict[str, str] = {}

    def prepare(self, repository: Path) -> None:
        pass

    def _pipe(self, pipe: str, **places: Path) -> list[str]:
        return [
            "bash",
            "-o",
            "pipefail",
            "-c",
            pipe.format(**{key: shlex.quote(str(at)) for key, at in places.items()}),
        ]

    def _create(self, repository: Path, tree: Path, archive: str) -> list[str]:
        pipe = "tar -C {parent} --listed-incremental={snapshot} -cf - {tree} | pigz > {archive}"
        places = {"tree": Path(tree.name), "snapshot": repository / "snapshot", "archive": repository / archive}
        return self._pipe(pipe, parent=tree.parent, **places)

    def full(self, repository: Path, tree: Path) -> list[str]:
        return self._create(repository, tree, "full.tar.gz")

    def again(self, repository: Path, tree: Path) -> list[str]:
        return self._create(repository, tree, "again.tar.gz")

    def restore(self, repository: Path, where: Path) -> list[str]:
        pipe = "pigz -dc {archive} | tar -C {where} -xf -"
        return self._pipe(pipe, archive=repository / "full.tar.gz", where=where)


def contenders() -> dict[str, Contender]:
    everybody = (Filed("gzip1"), Filed("zstd3"), Filed("none"), Restic(), Borg(), TarPigz())
    return {contender.name: contender for contender in everybody}
