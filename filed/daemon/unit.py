"""The systemd unit of this installation."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from filed.errors import ConfigError

_SPECIAL = set(" \t\n\"'\\$%;")  # systemd would read them as something else; nobody needs them in a path of a program


def unit_text(program: Path, conf: Path) -> str:
    """program, conf: absolute. Raises ConfigError for a path that cannot stand in a unit."""
    for path in (program, conf):
        check_unit_path(path)
    text = files("filed.daemon").joinpath("filed.service").read_text(encoding="utf-8")
    return text.replace("@program@", str(program)).replace("@conf@", str(conf))


def check_unit_path(path: Path) -> None:
    """Raises ConfigError for a path that cannot stand in a unit."""
    if not path.is_absolute() or _SPECIAL & set(str(path)):
        raise ConfigError(f"{path} cannot stand in a unit: give an absolute path without blanks, quotes, $ and %")
