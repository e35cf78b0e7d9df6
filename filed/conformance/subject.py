"""What is checked: a library, its options, and what it is asked to save."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from filed.agents import Descriptor, Feature, Settings, check_options
from filed.errors import ConfigError
from filed.fileset import FileSet, Include, Options
from filed.job.agents.lines import parse_plugin_line

TIMEOUT_S = 10.0
LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Subject:
    """One agent, as a Job would use it.

    paths: File lines; plugin: a Plugin line instead; with neither, what the agent claims. restore: may the agent's
    restore be called at all? timeout_s: without a sign of life; limit_s: of one check. entries: how many the source
    has to list for its memory to be judged.
    """

    library: Path
    about: Descriptor
    options: tuple[tuple[str, str], ...] = ()
    paths: tuple[bytes, ...] = ()
    plugin: str = ""
    restore: bool = True
    timeout_s: float = TIMEOUT_S
    limit_s: float = LIMIT_S
    entries: int = 0

    def settings(self) -> Settings:
        """The options, checked. Raises ConfigError."""
        verbatim = Feature.VERBATIM in self.about.features
        return check_options(self.about, self.options, () if verbatim else parse_plugin_line(self.plugin))

    def fileset(self) -> FileSet:
        """What it is asked to save. Raises ConfigError when that has to be said."""
        if self.plugin:
            return FileSet(includes=(Include(plugins=(self.plugin,)),), name="check")
        claims = tuple(claim for claim in self.about.claims if claim)
        files = self.paths or claims
        if files:
            strange = next((path for path in files if not any(map(path.startswith, self.about.claims))), None)
            if strange is not None and self.about.claims:
                known = ", ".join(claim.decode("utf-8", "replace") for claim in claims)
                raise ConfigError(
                    f"agent {self.about.id} takes no path {strange.decode('utf-8', 'replace')}; it takes: {known}"
                )
            return FileSet(includes=(Include(options=(Options(),), files=files),), name="check")
        if self.about.claims:
            raise ConfigError(
                f"agent {self.about.id} takes any path: say with --path which it is to save; a few files are enough"
            )
        return FileSet(includes=(Include(plugins=(f"{self.about.id}:",)),), name="check")
