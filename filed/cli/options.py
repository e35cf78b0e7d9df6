"""What several commands ask in the same way."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from filed.cli.agents import default_setup
from filed.errors import ConfigError
from filed.fileset import Compression, CompressionKind, Signature
from filed.job.description import AgentSetup, KeyFiles

F = TypeVar("F", bound=Callable[..., Any])

CONF = "filed.conf"  # key of the conf's path in the context of a command


class PathType(click.Path):
    """A path. An empty one is refused: a variable that was never set must not mean the current directory."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        if value == "":
            self.fail("it is empty; for the current directory give .", param, ctx)
        return super().convert(value, param, ctx)


directory = click.option(
    "-s",
    "--storage",
    type=PathType(path_type=Path, file_okay=False),
    envvar="FILED_STORAGE",
    metavar="DIR",
    help="The directory of Volumes; also from FILED_STORAGE.",
)
conf_file = click.option(
    "-c",
    "--conf",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A conf whose Storage, agents and keys to use.",
)


def storage(command: F) -> F:
    """`-s`, or `-c` for a conf that names the directory; ask `needed_storage` which it is."""
    conf = click.option(
        "-c",
        "--conf",
        type=click.Path(path_type=Path, dir_okay=False),
        expose_value=False,
        callback=lambda context, _parameter, path: context.meta.update({CONF: path}),
        help="A conf whose Storage is the directory.",
    )
    return directory(conf(command))


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, for programs.")
quiet = click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors; nothing when all is well.")
verbose = click.option("-v", "--verbose", is_flag=True, help="Debug messages of agents too.")


def told(command: F) -> F:
    """`--json`, `-q` and `-v`, of a command that runs a Job or an agent."""
    return as_json(quiet(verbose(command)))


encrypt = click.option(
    "--encrypt",
    "keys",
    metavar="PAIR[,MASTER...]",
    help="PEM files: our certificate and private key, then certificates that may read too.",
)
keys = click.option(
    "--keys",
    metavar="PAIR[,SIGNER...]",
    help="PEM files: a certificate and private key that opens what is encrypted; every file must be signed by one of them.",
)
volume_keys = click.option(
    "--volume-key",
    "volume_keys",
    multiple=True,
    type=PathType(path_type=Path),
    metavar="PATH",
    callback=lambda _context, _parameter, paths: _good_volume_keys(paths),
    help="What opens Volumes that a Storage Daemon encrypted: a file that its key program keeps, or the directory of these. May be repeated.",
)
accept_unsigned = click.option(
    "--accept-unsigned",
    is_flag=True,
    help="With keys: take files without a signature of theirs, too. For Jobs older than the keys.",
)


class _Time(click.ParamType[int]):
    """A date, or a date and a time, of the local calendar. A date alone is the end of that day."""

    name = "time"
    forms = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        for text in (value, f"{value} 23:59:59"):
            for form in self.forms:
                with contextlib.suppress(ValueError, OverflowError):
                    return int(time.mktime(time.strptime(text, form)))
        raise click.BadParameter(
            f"{value!r} is no time; write it as 2026-11-30, '2026-11-30 18:00' or '2026-11-30 18:00:00'", ctx, param
        )


at = click.option(
    "--at",
    type=_Time(),
    metavar="TIME",
    help="The newest backup that had begun by then: 2026-11-30 (that day's end) or '2026-11-30 18:00'.",
)


def _good_volume_keys(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Raises ConfigError before a Job begins."""
    found = tuple(path.absolute() for path in paths)
    if found:
        from filed.volume import read_volume_keys  # noqa: PLC0415  `filed --help` needs no Volumes

        read_volume_keys(found)
    return found


def both_a_job_and_a_time(number: str) -> click.UsageError:
    return click.UsageError(f"JobId {number} and --at: give one of them")


def needed_storage(given: Path | None, *, known: bool = True) -> Path:
    """The directory of `-s` or of the conf, absolute. Raises UsageError when there is neither.

    known: raises VolumeError when this machine has used it, and it is gone.
    """
    from filed.cli.place import check_known, refuse_address  # noqa: PLC0415  `filed --help` needs no storage

    if given is None:
        conf = click.get_current_context().meta.get(CONF)
        if conf is None:
            raise click.UsageError(
                "which directory of Volumes? Give -s DIR, set FILED_STORAGE, or name a conf with -c."
            )
        from filed.cli.conf_job import conf_setting  # noqa: PLC0415  the conf's grammar is 50 ms

        directory = conf_setting(conf, None)[0]
    else:
        refuse_address(given)
        directory = given.absolute()
    if known:
        check_known(directory)
    return directory


def setting(
    storage: Path | None, conf: Path | None, keys: str | None, *, accept_unsigned: bool
) -> tuple[Path, AgentSetup, KeyFiles | None]:
    """The directory of Volumes, the agents and the keys: of the options, and where they are silent of the conf."""
    directory, agents, files = _setting(storage, conf, keys)
    if accept_unsigned:
        if files is None:
            raise click.UsageError("--accept-unsigned needs keys: give --keys PAIR, or a conf that names them")
        files = dataclasses.replace(files, accept_unsigned=True)
    return directory, agents, files


def _setting(storage: Path | None, conf: Path | None, keys: str | None) -> tuple[Path, AgentSetup, KeyFiles | None]:
    if conf is None:
        given = opening_keys(keys)
        check_key_files(given)
        return needed_storage(storage), default_setup(), given
    from filed.cli.conf_job import conf_setting  # noqa: PLC0415  as above
    from filed.cli.place import check_known  # noqa: PLC0415  as above

    directory, agents, conf_keys = conf_setting(conf, storage)
    check_known(directory)
    used = opening_keys(keys) or conf_keys
    check_key_files(used)
    return directory, agents, used


def check_key_files(keys: KeyFiles | None) -> None:
    """Raises ConfigError for a key file that cannot be read, or that others can: before a Job begins."""
    if keys is not None:
        from filed.pipeline.keys import read_pem  # noqa: PLC0415  most commands need no codec

        for path in (keys.pair, *keys.masters, *keys.signers):
            read_pem(path)


def saving_keys(text: str | None) -> KeyFiles | None:
    """`PAIR,MASTER,...` of a backup that encrypts."""
    if not text:
        return None
    pair, *masters = (Path(part).absolute() for part in text.split(","))
    return KeyFiles(pair=pair, masters=tuple(masters))


def opening_keys(text: str | None) -> KeyFiles | None:
    """`PAIR,SIGNER,...` of a restore or a verify: every file must be signed by one of them, encrypted or not."""
    if not text:
        return None
    pair, *signers = (Path(part).absolute() for part in text.split(","))
    return KeyFiles(pair=pair, signers=tuple(signers), encrypt=False)


def parse_compression(text: str) -> Compression | None:
    """gzip1..gzip9 (gzip is gzip6), lzo, zstd1..zstd19 (zstd is zstd3), none. Raises ConfigError."""
    word = text.lower()
    if word == "none":
        return None
    if word == "lzo":
        return Compression(CompressionKind.LZO)
    for kind, usual, top in ((CompressionKind.GZIP, 6, 9), (CompressionKind.ZSTD, 3, 19)):
        rest = word.removeprefix(kind.value)
        if rest != word:
            level = int(rest) if rest.isdecimal() else usual if not rest else 0
            if 1 <= level <= top:
                return Compression(kind, level)
    raise ConfigError(f"--compress {text}: give gzip1 to gzip9, lzo, zstd1 to zstd19, or none")


def parse_digest(text: str) -> Signature | None:
    """md5, sha1, sha256, sha512, xxh64, xxh3_128 or none. Raises ConfigError."""
    word = text.upper().replace("-", "_")
    if word == "NONE":
        return None
    if word in Signature.__members__ and word != "XXH3_64":
        return Signature[word]
    raise ConfigError(f"--digest {text}: give md5, sha1, sha256, sha512, xxh64, xxh3_128 or none")


def path_bytes(text: str) -> bytes:
    """A path as given, absolute, `.` and `..` taken out without following links; bytes as the file system has them.

    Raises UsageError for an empty one: a variable that was never set must not mean the current directory.
    """
    if not text:
        raise click.UsageError("a PATH is empty; for the current directory give .")
    whole = os.path.normpath(Path.cwd() / text)
    return os.fsencode("/" + whole.lstrip("/"))  # POSIX lets two slashes at the front stand


def host_name() -> str:
    return socket.gethostname().partition(".")[0] or "localhost"
