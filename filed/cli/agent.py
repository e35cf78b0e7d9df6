"""`filed agent`: which agents there are, and what they take. Each is asked in a process of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from filed.agents.abi import OptionFlag, version_text
from filed.agents.scan import Scanned, examine, scan
from filed.cli.agent_check import check
from filed.cli.agent_install import install
from filed.cli.agent_new import new
from filed.cli.agent_ready import ready
from filed.cli.agent_run import run
from filed.cli.agents import shipped_agents
from filed.cli.exit import Exit
from filed.cli.options import as_json
from filed.cli.output import answer, message
from filed.cli.table import print_table

directory = click.option(
    "-d",
    "--directory",
    "directories",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Look here first. Repeats. The agents that came with filed are always found.",
)


@click.group(epilog="\b\nExamples:\n  filed agent list\n  filed agent info filesystem")
def agent() -> None:
    """The agents this machine has, and what their authors need."""


for command in (new, check, run, install, ready):
    agent.add_command(command)


@agent.command(
    "list",
    epilog="\b\nExamples:\n  filed agent list\n  filed agent list -d ./build     those in a directory of your own, too",
)
@directory
@as_json
def list_(directories: tuple[Path, ...], as_json: bool) -> int:  # noqa: FBT001
    """List every agent, also those that are refused, with the reason."""
    found = scan([*directories, shipped_agents()])
    if as_json:
        answer(json.dumps([_scanned_json(one) for one in found]))
    else:
        rows = [
            (
                " ".join((one.id, *(f"({alias})" for alias in one.about.aliases))),
                one.about.version,
                version_text(one.version),
                one.about.vendor,
                str(one.path),
            )
            for one in found
            if one.about is not None
        ]
        print_table(("Agent", "Version", "API", "Vendor", "Library"), rows)
        for one in found:
            if one.about is None:
                message(f"refused: {one.refused}")
    return Exit.GOOD if all(one.about is not None for one in found) else Exit.WARNINGS


@agent.command(epilog="\b\nExample:\n  filed agent info filesystem")
@directory
@as_json
@click.argument("name")
def info(directories: tuple[Path, ...], as_json: bool, name: str) -> int:  # noqa: FBT001
    """Show what one agent says about itself."""
    one = _examined(name, directories)
    if as_json:
        answer(json.dumps(_scanned_json(one)))
        return Exit.GOOD
    about = one.about
    assert about is not None
    claims = ", ".join(os.fsdecode(claim) or "any path" for claim in about.claims) or "only Plugin lines that name it"
    does = " and ".join(word for word, can in (("backup", about.can_backup), ("restore", about.can_restore)) if can)
    versions = f"{version_text(about.min_version)} to {version_text(about.max_version)}"
    rows = (
        ("Agent", f"{about.id} {about.version}"),
        ("Library", str(one.path)),
        ("Vendor", f"{about.vendor} ({about.license})"),
        ("API", f"{version_text(one.version)} negotiated; it speaks {versions}"),
        ("Does", does),
        ("File lines", claims),
        ("Restores also", ", ".join(about.aliases) or "-"),
        ("Format", str(about.format)),
    )
    for head, text in rows:
        answer(f"{head + ':':<15}{text}")
    return Exit.GOOD


@agent.command(epilog="\b\nExample:\n  filed agent options filesystem")
@directory
@as_json
@click.argument("name")
def options(directories: tuple[Path, ...], as_json: bool, name: str) -> int:  # noqa: FBT001
    """Show the options that an agent takes in the braces of its `plugin` line."""
    one = _examined(name, directories)
    assert one.about is not None
    if as_json:
        answer(json.dumps([dataclasses.asdict(spec) for spec in one.about.options]))
        return Exit.GOOD
    if not one.about.options:
        answer(f"{one.about.id} takes no options")
    for spec in one.about.options:
        marks = [flag.name.lower().replace("_", " ") for flag in OptionFlag if spec.flags & flag and flag.name]
        kind = "|".join(spec.choices) or spec.type.name.lower()
        initial = "" if spec.initial is None else f", else {spec.initial}"
        answer(f"{spec.key} = {kind}{initial}" + (f" ({', '.join(marks)})" if marks else ""))
        answer(f"    {spec.help}")
    return Exit.GOOD


@agent.command(epilog="\b\nExample:\n  cc $(filed agent cflags) -o mine.so mine.c")
@click.option("--python", is_flag=True, help="Print the Python instead that an agent in Python has to be made for.")
def cflags(python: bool) -> int:  # noqa: FBT001
    """Print the compiler's flag that finds bplugin.h and bplugin_sdk.h."""
    answer(sys.executable if python else f"-I{shipped_agents().with_name('_sdk')}")
    return Exit.GOOD


def _examined(name: str, directories: tuple[Path, ...]) -> Scanned:
    one = examine(name, [*directories, shipped_agents()])
    if one.about is None:
        raise click.ClickException(one.refused)
    return one


def _scanned_json(one: Scanned) -> dict[str, Any]:
    about = None
    if one.about is not None:
        about = dataclasses.asdict(one.about)
        about["claims"] = [os.fsdecode(claim) for claim in one.about.claims]
    return {"id": one.id, "library": str(one.path), "refused": one.refused, "version": one.version, "about": about}
