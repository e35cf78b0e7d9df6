"""`filed`: the entry point. Subcommands are imported when they are called, so that each starts fast."""

from __future__ import annotations

import errno
import importlib
import io
import sys
from typing import Any, NoReturn

import click

import filed
from filed.cli.exit import Exit
from filed.cli.output import ReaderGone, message, open_standard_streams, silence
from filed.errors import FiledError

UNWRITABLE = (errno.ENOSPC, errno.EPIPE, errno.EIO, errno.EBADF)  # of what click itself writes: --help, --version

COMMANDS = {
    "init": "filed.cli.init:init",
    "backup": "filed.cli.backup:backup",
    "restore": "filed.cli.restore:restore",
    "jobs": "filed.cli.query:jobs",
    "ls": "filed.cli.query:ls",
    "find": "filed.cli.query:find",
    "diff": "filed.cli.query:diff",
    "verify": "filed.cli.verify:verify",
    "prune": "filed.cli.prune:prune",
    "delete": "filed.cli.delete:delete",
    "catalog": "filed.cli.catalog:catalog",
    "agent": "filed.cli.agent:agent",
    "key": "filed.cli.key:key",
    "daemon": "filed.cli.daemon:daemon",
    "journal": "filed.cli.journal:journal",
    "config": "filed.cli.config:config",
    "completion": "filed.cli.completion:completion",
}


class LazyGroup(click.Group):
    """A group whose commands are modules, loaded by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 good, 1 nothing was done (usage, conf), 2 the Job failed, 3 good with warnings, "
    "4 differences were found, 130 canceled.",
)
@click.version_option(filed.__version__, prog_name="filed")
def cli() -> None:
    """Save files and whatever agents know into Bacula Volumes, and bring them back."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code."""
    open_standard_streams()
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run one command. Every error a person can cause becomes one line on stderr."""
    try:
        code: Any = cli.main(args=arguments, prog_name="filed", standalone_mode=False)
    except click.exceptions.Abort:
        return Exit.CANCELED
    except click.ClickException as wrong:
        _show(wrong)
        return Exit.USAGE
    except ReaderGone:
        return Exit.GOOD
    except FiledError as error:
        message(f"filed: {error}")
        return Exit.USAGE
    except OSError as error:  # a name that is too long, a directory that may not be looked into
        if error.filename is None and error.errno not in UNWRITABLE:
            raise
        if error.filename is None:
            silence(1)
        message(f"filed: {error.filename or 'standard output'}: {error.strerror}")
        return Exit.USAGE
    except KeyboardInterrupt:
        return Exit.CANCELED
    return int(code) if isinstance(code, int) else Exit.GOOD


def _show(wrong: click.ClickException) -> None:
    text = io.StringIO()
    wrong.show(text)
    message(text.getvalue().rstrip("\n"))
