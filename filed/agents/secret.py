"""A secret of an agent: where it is, until it is asked for."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from filed.config.trust import how_to_hide, usable_by_others
from filed.errors import ConfigError

MAX_SECRET_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Secret:
    """`file:/path`, `env:NAME`, or the secret itself; never shown by repr.

    A file's last newline does not belong to the secret. It must be a regular file that others cannot read.
    literal: take the text as it is, whatever it looks like.
    """

    text: str = field(repr=False)
    literal: bool = False

    def read(self) -> bytes:
        """Fetched anew each time, so that a changed file counts. Raises ConfigError that tells where, not what."""
        kind, _, rest = self.text.partition(":")
        if self.literal or kind not in {"file", "env"}:
            return self.text.encode()
        if kind == "env":
            value = os.environ.get(rest)
            if value is None:
                raise ConfigError(f"the environment has no {rest}, which an agent's secret is to come from")
            return os.fsencode(value)
        return _of_file(Path(rest))


def _of_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or usable_by_others(path, status):
                raise ConfigError(f"{path} must be a file that others cannot use: {how_to_hide(path, 'o-rwx')}")
            value = file.read(MAX_SECRET_BYTES + 1)
    except OSError as why:
        raise ConfigError(f"cannot read an agent's secret from {path}: {why.strerror}") from why
    if len(value) > MAX_SECRET_BYTES:
        raise ConfigError(f"{path} is too big for a secret")
    return value.removesuffix(b"\n").removesuffix(b"\r")
