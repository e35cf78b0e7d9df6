"""Coverage-guided fuzzing of one target, or of all in turn; by hand, and for a few seconds in the tests.

    .venv/bin/python -m tests.fuzz.run all --seconds 20
    .venv/bin/python -m tests.fuzz.run stream_records --seconds 3600 --keep

--keep: the least of what was found that reaches all that it reached joins the stored corpus. An input that breaks something is left in the
directory that the end names; store it as well, with the mend.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HANG_S = 20  # for inputs of a few kilobytes; a shared machine is slow, not this slow
MEMORY_MB = 1024  # of the whole fuzzer, which needs a tenth of it
MAX_INPUT_BYTES = 4096


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz one target of tests/fuzz/targets.py, or `all`.")
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--seed", type=int, default=0, help="0: another each time")
    parser.add_argument("--engine", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.engine:
        _engine(asked.target, asked.engine)
    sys.exit(_run(asked))


def _run(asked: argparse.Namespace) -> int:
    from tests.fuzz.corpus import files, store, stored
    from tests.fuzz.targets import TARGETS

    names = list(TARGETS)
    if asked.target != "all" and asked.target not in names:
        sys.exit(f"no target {asked.target}; there are: all {' '.join(names)}")
    place = Path(tempfile.mkdtemp(prefix="filed-fuzz-"))
    seeds, found = place / "seeds", place / "found"
    for directory in (seeds, found):
        directory.mkdir()
    for number, name in enumerate(names):
        mark = bytes([number]) if asked.target == "all" else b""
        if asked.target in ("all", name):
            for count, data in enumerate(stored(name)):
                (seeds / f"{name}-{count}").write_bytes(mark + data)
    common = [f"-timeout={HANG_S}", f"-rss_limit_mb={MEMORY_MB}", f"-max_len={MAX_INPUT_BYTES}", f"-seed={asked.seed}"]
    common += [f"-artifact_prefix={place}/broke-", "-verbosity=0", "-print_final_stats=1"]
    command = [sys.executable, "-m", "tests.fuzz.run", asked.target, "--engine"]
    code = subprocess.run([*command, *common, f"-max_total_time={asked.seconds}", str(found), str(seeds)]).returncode
    if code:
        print(f"broken: the input is in {place}, by the name broke-*")
        return code
    if asked.keep and asked.target != "all":
        least = place / "least"
        least.mkdir()
        subprocess.run([*command, *common, "-merge=1", str(least), str(found), str(seeds)], check=True)
        store(asked.target, {*stored(asked.target), *files(least)})
    return 0


def _engine(target: str, arguments: list[str]) -> None:
    """The process that libFuzzer drives; never comes back."""
    import atheris

    with atheris.instrument_imports(include=["filed"]):
        from tests.fuzz.targets import TARGETS
    targets = tuple(TARGETS.values())

    def one(data: bytes) -> None:
        if target != "all":
            TARGETS[target](data)
        elif data:
            targets[data[0] % len(targets)](data[1:])

    again = f"{sys.executable} -m tests.fuzz.run {target} --engine"  # what a merge starts by a shell, several times
    atheris.Setup([again, *arguments], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
