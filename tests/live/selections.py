"""Random FileSets, and what each File Daemon says it would save by them: `estimate listing` of one Director, one by one.

By hand, some thousand of them, for as long as it takes (differences are printed, with the FileSet):

    .venv/bin/python -m tests.live.selections --count 3000 --seed 7 --release 15.0.3
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.live.bacula import Bacula
from tests.live.daemons import debians
from tests.live.filed_daemon import FiledDaemon
from tests.live.releases import RELEASES, Release

LETTERS = "aabBc.-_9 [](){}^!$+*?\\|,~#"
"""What names and patterns are made of; a line of the listing has no place for others."""
AT_ONCE = 50
"""Estimates of one console."""
LISTED = re.compile(rb"^[-dlfcbps][-rwxsStT]{9} .{10,60}? \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  (/.*)$")


@dataclass(frozen=True)
class Listed:
    """What an estimate said: the names, and, when it failed, the rest of it."""

    names: frozenset[bytes]
    why: str


def grow(top: Path, chance: random.Random, depth: int = 3) -> None:
    """A tree of short names of few letters, and of some that the patterns know."""
    names = {"".join(chance.choices(LETTERS, k=chance.randint(1, 4))).strip(" .") for _ in range(14)}
    names |= set(chance.sample(("core", "x.o", "Makefile", "cache", ".hidden", "a b", "aB.c", "src"), 4))
    for name in sorted(names - {""}):
        path = top / name
        if depth and chance.random() < 0.3:
            path.mkdir()
            grow(path, chance, depth - 1)
        else:
            path.touch()


def wild(chance: random.Random) -> str:
    """A wild card: most have a chance to match something."""

    def one() -> str:
        match chance.randint(0, 9):
            case 0 | 1:
                return "*"
            case 2:
                return "?"
            case 3:
                return f"[{chance.choice(('', '', '!', '^'))}{inside()}]"
            case 4:
                return "\\" + chance.choice(LETTERS)
            case 5:
                return chance.choice(("/", "[", "]", "[[:alpha:]]", "[![:upper:]]", "[]", "[a", "[z-a]", "[!]a]"))
            case _:
                return chance.choice(LETTERS)

    def inside() -> str:
        return "".join(
            chance.choice((chance.choice("abcABC.]-\\!^"), "a-c", "A-Z", "!-9")) for _ in range(chance.randint(1, 3))
        )

    return chance.choice(("*/", "*/", "*", "")) + "".join(one() for _ in range(chance.randint(1, 4)))


def regular(chance: random.Random) -> str:
    """A regular expression that regcomp(3) takes, as a Director does that reads it in its conf."""

    def one(depth: int = 2) -> str:
        match chance.randint(0, 11):
            case 0:
                return "."
            case 1:
                return chance.choice(
                    (
                        "[abc]",
                        "[^a-c/]",
                        "[[:upper:]]",
                        "[^[:alnum:]/]",
                        "[]a]",
                        "[a-]",
                        "[.]",
                        "[\\]",
                        "[[.-.]]",
                        "[[=a=]]",
                    )
                )
            case 2 if depth:
                return f"({one(depth - 1)}{chance.choice(('|', ''))}{one(depth - 1)})"
            case 3:
                return "\\" + chance.choice(".[]()*+?{}|^$\\aw-WbB'`sS~ ")
            case 4:
                return chance.choice(
                    (")", "]", "}", "{", "^", "$", "|", "a{2}", "a{1,}", "[a-c]{1,2}", "{,1}", "()", "(|a)", "a||b")
                )
            case 5:
                return chance.choice(LETTERS) + chance.choice(("*", "+", "?", "*?", "**", "+*"))
            case _:
                return chance.choice(LETTERS)

    compiled = ctypes.create_string_buffer(256)
    libc = ctypes.CDLL(None)
    while True:
        text = chance.choice(("/", "", "^.*/", "")) + "".join(one() for _ in range(chance.randint(1, 4)))
        text += chance.choice(("", "", "$"))
        if libc.regcomp(compiled, text.encode(), 1) == 0:  # REG_EXTENDED
            return text


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def options(chance: random.Random) -> str:
    """An Options block."""
    lines = []
    for directive in ("Wild", "WildFile", "WildDir"):
        lines += [f"{directive} = {quoted(wild(chance))}" for _ in range(chance.choice((0, 0, 0, 1, 2)))]
    for directive in ("Regex", "RegexFile", "RegexDir"):
        lines += [f"{directive} = {quoted(regular(chance))}" for _ in range(chance.choice((0, 0, 0, 0, 1)))]
    lines += [f"{switch} = {value}" for switch, value, odds in (
        ("Exclude", "yes", 0.6), ("Ignore Case", "yes", 0.2), ("Recurse", "no", 0.08), ("OneFS", "no", 0.1),
    ) if chance.random() < odds]  # fmt: skip
    chance.shuffle(lines)
    return "Options {\n" + "\n".join(lines) + "\n}\n"


def include(chance: random.Random, directories: list[Path]) -> str:
    blocks = "".join(options(chance) for _ in range(chance.choice((0, 1, 1, 1, 2, 3))))
    if not blocks.count("Recurse"):
        blocks = (
            blocks or "Options {\n}\n"
        )  # bacula-fd lets Recurse = no of one Include hold in a next one without Options
    lines = chance.sample(directories, min(len(directories), chance.choice((1, 1, 1, 2))))
    files = "".join(f"File = {quoted(str(path) + chance.choice(('', '', '/')))}\n" for path in lines)
    containing = "Exclude Dir Containing = core\n" if chance.random() < 0.25 else ""
    return f"Include {{\n{blocks}{files}{containing}}}\n"


def body(chance: random.Random, tree: Path) -> str:
    """What stands in a FileSet."""
    below = sorted(path for path in tree.rglob("*") if path.is_dir())
    directories = [tree, *chance.sample(below, min(4, len(below)))]
    text = "".join(include(chance, directories) for _ in range(chance.choice((1, 1, 2, 3))))
    if chance.random() < 0.3:
        some = [wild(chance) if chance.random() < 0.6 else str(chance.choice(directories)) for _ in range(2)]
        excluded = "".join(f"File = {quoted(item)}\n" for item in some if item[:1] not in ("\\", "|"))
        text += f"Exclude {{\n{excluded}}}\n" if excluded else ""
    return text


class Estimates:
    """One Director that has all of some FileSets."""

    def __init__(self, root: Path, release: Release, bodies: list[str]) -> None:
        self.bacula = Bacula(root, release=release)
        self._names = [f"S{number}" for number in range(len(bodies))]
        named = zip(self._names, bodies, strict=True)
        self.bacula.write_confs(
            file_sets="".join(f"FileSet {{\nName = {name}\n{text}}}\n" for name, text in named),
            jobs="".join(f"Job {{ Name = {name}; JobDefs = Common; FileSet = {name} }}\n" for name in self._names),
        )
        self.bacula.make_catalog()

    def by(self, daemon: AbstractContextManager[object]) -> Iterator[Listed]:
        """What this File Daemon says, of one FileSet after the other."""
        with daemon:
            for start in range(0, len(self._names), AT_ONCE):
                names = self._names[start : start + AT_ONCE]
                said = self.bacula.console_bytes(*(f"estimate job={name} listing" for name in names))
                yield from self._listed(said, names)

    def _listed(self, said: bytes, names: list[str]) -> Iterator[Listed]:
        pieces = re.split(rb"^estimate job=S\d+ listing\n", said, flags=re.MULTILINE)[1:]
        assert len(pieces) == len(names), said.decode(errors="replace")
        for piece in pieces:
            found = frozenset(
                name[1].partition(b" -> ")[0].rstrip(b"/")
                for line in piece.split(b"\n")
                if (name := LISTED.match(line))
            )
            failed = b"2000 OK estimate" not in piece or b"\nError: " in piece
            rest = [line for line in piece.split(b"\n") if not LISTED.match(line)]
            yield Listed(found, b"; ".join(rest).decode(errors="replace") if failed else "")


def differences(root: Path, release: Release, seed: int, count: int) -> Iterator[str]:
    """FileSets by which `filed` would save other names than the release's bacula-fd; each name is listed once."""
    chance = random.Random(seed)
    tree = root / "t"
    tree.mkdir()
    grow(tree, chance)
    bodies = [body(chance, tree) for _ in range(count)]
    estimates = Estimates(root, release, bodies)
    with estimates.bacula as bacula:
        bacula.start("dir")
        ours, theirs = (list(estimates.by(daemon(bacula))) for daemon in (FiledDaemon, debians))
    for text, here, there in zip(bodies, ours, theirs, strict=True):
        if here.names != there.names or bool(here.why) != bool(there.why):
            only = [
                sorted(map(os.fsdecode, one - other))[:5]
                for one, other in ((here.names, there.names), (there.names, here.names))
            ]
            yield f"{text}only filed: {only[0]}, only bacula-fd: {only[1]}; failed: {here.why!r}, {there.why!r}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--release", choices=[str(release) for release in RELEASES], default=str(RELEASES[0]))
    given = parser.parse_args()
    release = next(release for release in RELEASES if str(release) == given.release)
    with tempfile.TemporaryDirectory(prefix="selections-") as root:
        found = list(differences(Path(root), release, given.seed, given.count))
    print("\n\n".join(found))
    print(f"{len(found)} of {given.count} FileSets differ (seed {given.seed}, Bacula {release})")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
