"""A parent to be killed: prints the process of its child, and the one that this started. Its argument: a directory for post-mortems."""

from __future__ import annotations

import sys
from pathlib import Path

from filed.process.supervisor import Supervisor
from filed.process.task import Task


def main() -> None:
    task = Task("tests.process.program", b"start", 0)
    with Supervisor(task, silent_s=3600, postmortems=Path(sys.argv[1])) as process:
        print(process.pid, flush=True)
        process.run(lambda event: print(event["text"], flush=True), lambda: None)


if __name__ == "__main__":
    main()
