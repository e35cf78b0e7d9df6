"""All tables of docs/benchmarks.md, one after the other: `make bench`. Hours; each can be asked for alone.

python -m tests.bench [--directory /var/tmp/filed-bench] [--only compare accurate ...]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

TABLES = {
    "compare": "beside restic, borg and tar",
    "against_bacula_fd": "beside bacula-fd",
    "accurate": "an Accurate Incremental beside bacula-fd",
    "memory": "memory of a million entries",
    "large_directory": "one large directory beside many small ones",
    "ciphers": "what encryption costs",
}
WITHOUT_DIRECTORY = ("ciphers",)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp/filed-bench"), help="for trees and Volumes")
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    args = parser.parse_args()
    worst = 0
    for name in args.only:
        print(f"\n## {TABLES[name]}\n", flush=True)
        where = [] if name in WITHOUT_DIRECTORY else ["--directory", str(args.directory)]
        worst = max(
            worst, subprocess.run([sys.executable, "-m", f"tests.bench.{name}", *where], check=False).returncode
        )
    return worst


if __name__ == "__main__":
    sys.exit(main())
