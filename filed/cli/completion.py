"""`filed completion`: what a shell needs to complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from filed.cli.exit import Exit
from filed.cli.output import answer


@click.command(epilog="\b\nExample, for bash:\n  filed completion bash > /etc/bash_completion.d/filed")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print the completion script of a shell."""
    kind = get_completion_class(shell)
    assert kind is not None
    answer(kind(context.find_root().command, {}, "filed", "_FILED_COMPLETE").source())
    return Exit.GOOD
