"""`filed agent install`: a library where agents belong, as filed wants it to be."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import click

from filed.agents.abi import OptionFlag
from filed.agents.descriptor import Descriptor
from filed.agents.load import SUFFIX, agent_id
from filed.agents.scan import examine
from filed.cli.exit import Exit
from filed.cli.options import PathType
from filed.cli.output import answer

PLACE = Path("/usr/local/lib/filed")


@click.command(
    epilog="\b\nExamples:\n  filed agent install ./notes.so\n  filed agent install ./notes.so -d /opt/agents"
)
@click.option(
    "-d",
    "--directory",
    type=PathType(path_type=Path, file_okay=False),
    default=PLACE,
    show_default=True,
    help="Where agents are, the `Plugin Directory` of the conf; it is made.",
)
@click.argument("library", metavar="FILE", type=PathType(path_type=Path, dir_okay=False, exists=True))
def install(directory: Path, library: Path) -> int:
    """Put the agent in FILE where filed finds it, writable by its owner alone, and say what the conf needs.

    It is looked at first, in a process of its own: what filed would refuse is not installed, and the one that is there stays. A Job that
    runs keeps the library that it began with.
    """
    name = agent_id(library.name)
    directory = Path(os.path.realpath(directory))
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".install-") as scratch:
            made = Path(scratch) / f"{name}{SUFFIX}"
            shutil.copyfile(library, made)
            made.chmod(0o644)
            found = examine(name, [made.parent])
            if found.about is None:
                raise click.ClickException(found.refused.replace(str(made), str(library)))
            made.replace(directory / made.name)
    except OSError as error:
        raise click.ClickException(f"cannot install into {directory}: {error.strerror}") from error
    answer(f"{directory / made.name}: agent {found.about.label} is installed. In the conf, if they are not there yet:")
    answer(f'  FileDaemon {{ ... Plugin Directory = "{directory}" }}')
    answer(f"  {_line(found.about)}")
    return Exit.GOOD


def _line(about: Descriptor) -> str:
    """Its `plugin` line, with a place for each option that it needs."""
    needed = [spec for spec in about.options if spec.flags & OptionFlag.REQUIRED]
    options = "; ".join(f'{spec.key} = "..."' for spec in needed)
    return f"plugin {about.id} {{ {options} }}" if options else f"plugin {about.id}"
