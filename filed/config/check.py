"""`filed config check`: everything that can be said about a conf without starting anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filed.config.filedaemon import FileDaemonConf, filedaemon_conf
from filed.config.standalone import StandaloneConf, standalone_conf
from filed.config.syntax import Statement, read
from filed.errors import FiledError

OF_THE_COMMAND_LINE = frozenset({"job", "fileset", "storage"})
OF_THE_DAEMON = frozenset({"director"})


@dataclass(frozen=True, slots=True)
class Report:
    """errors, warnings: sentences with file, line and column.  One conf may be for the daemon, the command line or both."""

    path: str
    daemon: FileDaemonConf | None
    standalone: StandaloneConf | None
    errors: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def usable(self) -> bool:
        return not self.errors


def check(path: Path | str, read_fileset: Callable[[Statement], object]) -> Report:
    """Read the conf as those who will use it do, and collect what they would say.

    read_fileset: makes a FileSet of its statement and raises FiledError for what is wrong in it
    (`filed.fileset.read_fileset`; this room may not know it).
    """
    errors: list[str] = []
    warnings: list[str] = []
    daemon: FileDaemonConf | None = None
    standalone: StandaloneConf | None = None
    try:
        statements = read(path)
    except FiledError as error:
        return Report(str(path), None, None, (str(error),), ())
    keys = {statement.key for statement in statements if statement.body is not None}
    if keys & OF_THE_DAEMON or not keys & OF_THE_COMMAND_LINE:
        try:
            daemon = filedaemon_conf(statements, str(path))
            warnings += daemon.warnings
        except FiledError as error:
            errors.append(str(error))
    if keys & OF_THE_COMMAND_LINE:
        try:
            standalone = standalone_conf(statements, str(path))
            warnings += standalone.warnings
        except FiledError as error:
            errors.append(str(error))
        for statement in statements:
            if statement.key == "fileset" and statement.body is not None:
                try:
                    read_fileset(statement)
                except FiledError as error:
                    errors.append(str(error))
    return Report(str(path), daemon, standalone, tuple(dict.fromkeys(errors)), tuple(dict.fromkeys(warnings)))
