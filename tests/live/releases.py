"""The releases of Bacula that the tests put beside `filed`: the machine's own, and the one that tools/unpack-bacula-15 lays beside it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Release:
    """root: where its packages are unpacked, "/" when they are installed."""

    version: str
    root: Path = Path("/")

    def __str__(self) -> str:
        return self.version

    @property
    def newer(self) -> bool:
        """Whether it is of those that encrypt by default, and speak as 15 does."""
        return int(self.version.partition(".")[0]) >= 11

    @property
    def there(self) -> bool:
        return shutil.which("bacula-dir", path=self._path) is not None

    @property
    def _path(self) -> str:
        return f"{self.root}/usr/sbin:{self.root}/usr/bin"

    @property
    def environment(self) -> dict[str, str]:
        """What its programs need to find their own libraries."""
        if self.root == Path("/"):
            return dict(os.environ)
        return os.environ | {"LD_LIBRARY_PATH": str(self.root / "usr/lib/bacula")}

    @property
    def catalog_script(self) -> Path:
        return self.root / "usr/share/bacula-director/make_sqlite3_tables"

    @property
    def plugins(self) -> Path:
        return self.root / "usr/lib/bacula"

    @property
    def default_confs(self) -> Path:
        """The confs that its packages install, before the package's own scripts fill in names and passwords."""
        return self.root / "usr/share/bacula-common/defconfig"

    def program(self, name: str) -> str:
        found = shutil.which(name, path=self._path)
        assert found, f"{name} of Bacula {self.version} is not there (tools/install-peers)"
        return found

    def select_files(self, columns: str) -> str:
        """SQL: the names of files in the catalog, and more columns of File. Until 9 the last part of a name had a table of its own."""
        name, join = ("File.Filename", "") if self.newer else ("Filename.Name", " JOIN Filename USING (FilenameId)")
        return f"SELECT Path.Path || {name}, {columns} FROM File JOIN Path USING (PathId){join}"


BACULA_9 = Release("9.6.7")
BACULA_15 = Release("15.0.3", ROOT / ".peers/bacula-15")
RELEASES = (BACULA_9, BACULA_15)
