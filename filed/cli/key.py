"""`filed key`: key pairs for encryption and signatures."""

from __future__ import annotations

import os
from pathlib import Path

import click

from filed.cli import options
from filed.cli.exit import Exit
from filed.cli.output import report
from filed.errors import ConfigError
from filed.pipeline.new_key import new_pair
from filed.process.system import open_file


@click.group(epilog="\b\nExample:\n  filed key new /root/backup-key.pem")
def key() -> None:
    """Keys for `filed backup --encrypt`."""


@key.command(
    epilog="\b\nExample:\n  filed key new /root/backup-key.pem && filed backup -s /mnt/disk --encrypt /root/backup-key.pem /home"
)
@click.option("--name", help="Whose key it is, as the certificate says it. [default: this machine's name]")
@click.option("--bits", type=click.IntRange(2048, 8192), default=4096, show_default=True, help="Of the RSA key.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def new(name: str | None, bits: int, file: Path) -> int:
    """Make a key pair in FILE, which only its owner can read, and its certificate alone in FILE with `.crt` at its end.

    The certificate may be given away: as a master key it lets the owner of FILE read what others encrypt.
    """
    pair, certificate = new_pair(name or options.host_name(), bits)
    shared = file.with_suffix(".crt")
    _write(file, pair, 0o600)
    _write(shared, certificate, 0o644)
    report(f"{file}: key and certificate. Keep a copy where the backups are not: without it they cannot be read")
    report(f"{shared}: the certificate alone, for other machines")
    return Exit.GOOD


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise ConfigError(f"{path} is there already; a key is never written over") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
