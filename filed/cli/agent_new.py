"""`filed agent new`: an agent that works, to be changed into another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from filed.agents.descriptor import ID
from filed.cli.exit import Exit
from filed.cli.output import report

TEMPLATES = Path(__file__).with_name("agent_templates")
NEEDS = {
    "c": "gcc, make",
    "c++": "g++ (C++20), make",
    "rust": "rustc 1.63 or newer, make",
    "python": "gcc, make, the headers of the Python that filed runs on",
}


@click.command(
    epilog="\b\nExamples:\n  filed agent new notes\n  filed agent new notes --lang rust\n  cd notes && make check"
)
@click.option("--lang", type=click.Choice(list(NEEDS)), default="c", show_default=True, help="What it is written in.")
@click.option(
    "-d",
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Below which. [default: .]",
)
@click.argument("name")
def new(lang: str, directory: Path, name: str) -> int:
    """Write a working agent NAME into a directory of that name: source, Makefile, a test, a README.

    It saves each line of a text file, keeps a state for Incrementals, and passes `filed agent check`. What to change for
    a source of your own is marked with CHANGE.
    """
    if not ID.fullmatch(name):
        raise click.UsageError(f"{name}: an agent's name is lower-case letters, digits and -, up to 32")
    target = directory / name
    try:
        target.mkdir(mode=0o755)
    except FileExistsError:
        raise click.ClickException(f"{target} is there already; nothing is written over") from None
    for path, text in files(name, lang):
        whole = target / path
        whole.write_text(text, encoding="utf-8")
        whole.chmod(0o644)
    target.chmod(0o755)  # whatever the umask: filed refuses libraries that others could write
    report(f"{target}: {', '.join(sorted(path.name for path in target.iterdir()))}")
    report(f"try it: cd {target} && make check")
    return Exit.GOOD


def files(name: str, lang: str) -> Iterator[tuple[str, str]]:
    """(name, text) of each file of a new agent."""
    words = {
        "@name@": name,
        "@NAME@": name.upper(),
        "@crate@": "agent_" + name.replace("-", "_"),  # may not begin with a digit, nor hold a -
        "@needs@": NEEDS[lang],
    }
    for template in sorted([TEMPLATES / "README.md", TEMPLATES / "sample.txt", *(TEMPLATES / lang).iterdir()]):
        path, text = template.name, template.read_text(encoding="utf-8")
        for mark, word in words.items():
            path, text = path.replace(mark, word), text.replace(mark, word)
        yield path, text
