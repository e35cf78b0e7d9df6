"""What the checks of what agents say cost: this filed beside an older one, with entries that an agent makes up.

    python -m tests.bench.checks --older /path/to/older/checkout/.venv/bin/filed [--entries 1000000] [--turns 3]

Both in turn: a Full, then an Incremental in which nothing changed. Processor time, user and system, and the largest resident set of
any process of the command, as the kernel counts them; medians of the turns.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.agents.compile import compile_agent
from tests.bench.measure import Cost, machine, median, run

SOURCE = Path(__file__).with_name("million.c")
LEVELS = ("full", "incremental")


def turn(filed: Path, agent: Path, entries: int, scratch: Path) -> dict[str, Cost]:
    """A Full and an Incremental on it."""
    with tempfile.TemporaryDirectory(dir=scratch) as volumes:
        env = {"XDG_STATE_HOME": volumes}  # what filed remembers of storages
        command = [str(filed), "agent", "run", str(agent), "--option", f"entries={entries}"]
        return {
            level: run([*command, "--backup", f"{volumes}/v", "--level", level], env, Path(volumes, "output.txt"))
            for level in LEVELS
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--older", type=Path, required=True, help="its bin/filed")
    parser.add_argument(
        "--this", type=Path, default=Path(sys.executable).with_name("filed"), help="the newer bin/filed"
    )
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"))
    args = parser.parse_args()
    builds = {"older": args.older, "this": args.this}
    costs: dict[tuple[str, str], list[Cost]] = {(level, name): [] for level in LEVELS for name in builds}
    with tempfile.TemporaryDirectory(dir=args.directory) as scratch:
        Path(scratch).chmod(0o755)
        agent = compile_agent(SOURCE, Path(scratch), "million", flags=["-O2"])
        for number in range(args.turns):
            for name in sorted(builds, reverse=bool(number % 2)):  # whoever is second finds other caches
                for level, cost in turn(builds[name], agent, args.entries, Path(scratch)).items():
                    costs[level, name].append(cost)
                    print(f"{name} {level}: {cost.cpu_s:.1f} s, {cost.peak_bytes / 1e6:.0f} MB", flush=True)
    print(machine(), "\n")
    print(
        f"| {args.entries:,} entries | older: cpu, s | this: cpu, s | growth | older: peak, MB | this: peak, MB | growth |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for level in LEVELS:
        was, now = median(costs[level, "older"]), median(costs[level, "this"])
        time, memory = now.cpu_s / was.cpu_s - 1, now.peak_bytes / was.peak_bytes - 1
        print(
            f"| {level.capitalize()} | {was.cpu_s:.1f} | {now.cpu_s:.1f} | {time:+.1%}"
            f" | {was.peak_bytes / 1e6:.0f} | {now.peak_bytes / 1e6:.0f} | {memory:+.1%} |"
        )


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    main()
