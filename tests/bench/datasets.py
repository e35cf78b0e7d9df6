"""The trees that the benchmarks save: same seed, same bytes, on every machine.

small   40,000 files of 0.5 to 8 KiB of prose in 400 directories: what a file costs
text    60 files of prose and of log lines, 600 MB in all, no block twice: what compression costs
random  8 files, 1.6 GB in all, that do not compress: what a byte costs

`python tests/bench/datasets.py small DIR` makes one of them in DIR, unless it is there.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

SMALL_FILES, SMALL_DIRECTORIES = 40_000, 400
SMALL_LEAST, SMALL_MOST = 512, 8192
TEXT_FILES, TEXT_BYTES = 60, 600_000_000
RANDOM_FILES, RANDOM_BYTES = 8, 1_600_000_000
MADE = 1_750_000_000  # every file's mtime: a Full and the Incremental after it must not see fresh files

SYLLABLES = re.findall(
    r"\w+", "ba co der el fin gra ha in ju ka len mo ner ol per qui ran sta ter und ver wil ex yo zi tion men ly ing"
)


def vocabulary(rng: random.Random) -> tuple[list[str], list[float]]:
    """20,000 words and their cumulative weights; the n-th is 1/n as frequent as the first (Zipf)."""
    words = sorted({"".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(40_000)})[:20_000]
    rng.shuffle(words)
    return words, list(itertools.accumulate(1 / n for n in range(1, len(words) + 1)))


WORDS, WEIGHTS = vocabulary(random.Random(1))


def prose(rng: random.Random, size: int) -> bytes:
    """At least `size` bytes of lines of words; ASCII."""
    words = rng.choices(WORDS, cum_weights=WEIGHTS, k=size // 4 + 16)
    for at in range(11, len(words), 12):
        words[at] += ".\n"
    text = " ".join(words).encode()
    return text if len(text) >= size else text + prose(rng, size - len(text))


def log_lines(rng: random.Random, size: int) -> bytes:
    """At least `size` bytes of a web server's access log."""
    lines: list[str] = []
    made, second = 0, rng.randrange(86_400)
    paths = rng.choices(WORDS, cum_weights=WEIGHTS, k=size // 60 + 16)
    while made < size:
        second = (second + 1) % 86_400
        bits = rng.getrandbits(64)
        path, page = paths[len(lines) % len(paths)], paths[(bits >> 20) % len(paths)]
        line = (
            f"10.{bits & 0xFF}.{bits >> 8 & 0xFF}.{bits >> 16 & 0xF} - - "
            f"[23/Nov/2025:{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02} +0000] "
            f'"GET /{path}/{page}?id={bits >> 40} HTTP/1.1" {(200, 200, 200, 304, 404)[bits % 5]} {bits >> 44 & 0xFFFFF}\n'
        )
        lines.append(line)
        made += len(line)
    return "".join(lines).encode()


def _write(path: Path, pieces: Iterator[bytes], size: int) -> None:
    with path.open("wb") as out:
        for piece in pieces:
            out.write(piece[: size - out.tell()])
    os.utime(path, (MADE, MADE))


def _small_directory(root: Path, number: int) -> None:
    rng = random.Random(f"small {number}")
    directory = root / f"part{number // 20:02}" / f"dir{number:03}"
    directory.mkdir(parents=True)
    for n in range(SMALL_FILES // SMALL_DIRECTORIES):
        size = rng.randint(SMALL_LEAST, SMALL_MOST)
        _write(directory / f"note-{n:04}.txt", iter((prose(rng, size),)), size)


def _text_file(root: Path, number: int) -> None:
    """Sizes from 1 to 19 MB, the mean being TEXT_BYTES / TEXT_FILES; every second file is a log."""
    rng = random.Random(f"text {number}")
    size = TEXT_BYTES // TEXT_FILES * (1 + 2 * (number % 10)) // 10
    make, name = (log_lines, "access.log") if number % 2 == number // 10 % 2 else (prose, "book.txt")
    directory = root / f"shelf{number // 10}"
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / f"{number:02}-{name}", (make(rng, 1 << 20) for _ in range(size // (1 << 20) + 1)), size)


def _random_file(root: Path, number: int) -> None:
    rng = random.Random(f"random {number}")
    size = RANDOM_BYTES // RANDOM_FILES
    _write(root / f"blob{number}.bin", (rng.randbytes(1 << 20) for _ in range(size // (1 << 20) + 1)), size)


RECIPES = {
    "small": (_small_directory, SMALL_DIRECTORIES),
    "text": (_text_file, TEXT_FILES),
    "random": (_random_file, RANDOM_FILES),
}


def make(name: str, parent: Path) -> Path:
    """The tree `parent/name`, made when missing (about a minute on two cores for all three)."""
    tree = parent / name
    if not tree.exists():
        growing = parent / f"{name}.growing"
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir(parents=True)
        one, count = RECIPES[name]
        with multiprocessing.Pool() as pool:
            pool.starmap(one, [(growing, n) for n in range(count)], chunksize=1)
        growing.rename(tree)
    return tree


def size(tree: Path) -> tuple[int, int]:
    """Files and bytes of a tree."""
    files = [path for path in tree.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files)


def tiny_files(tree: Path, entries: int, in_a_directory: int) -> None:
    """Files of some 20 bytes in directories of `in_a_directory` each, unless they are there."""
    if tree.exists():
        return
    growing = tree.with_suffix(".growing")
    shutil.rmtree(growing, ignore_errors=True)
    for number in range(entries):
        directory = growing / f"{number // in_a_directory:04}"
        if number % in_a_directory == 0:
            directory.mkdir(parents=True)
        (directory / f"file-{number:07}").write_bytes(b"the only copy %d\n" % number)
    growing.rename(tree)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("directory", type=Path)
    args = parser.parse_args()
    files, total = size(make(args.name, args.directory))
    print(f"{args.name}: {files:,} files, {total:,} bytes")


if __name__ == "__main__":
    main()
