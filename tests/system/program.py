"""`filed` as its users run it: a command line in, an exit code and two streams out."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filed as package
from filed.cli.main import run

# All of it, once: children are forked from here, some as a user who may not read where Python's library lies.
for module in pkgutil.walk_packages(package.__path__, "filed."):
    importlib.import_module(module.name)

PROGRAM = Path(sys.executable).with_name("filed")
NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Ran:
    """How one command ended. A negative code is a signal."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"filed {' '.join(self.arguments)}: exit code {self.code}\n{self.out}{self.err}"


def filed(
    *arguments: str | Path | bytes,
    code: int | tuple[int, ...] = 0,
    user: int | None = None,
    before: Callable[[], object] = lambda: None,
) -> Ran:
    """Run one command in a child of this process, which has imported everything already; it must end with `code`.

    user: its uid and gid. before: called in the child first, as that user.
    """
    words = tuple(word if isinstance(word, str) else os.fsdecode(word) for word in arguments)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _child(words, out.fileno(), err.fileno(), user, before)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        texts = [os.pread(file.fileno(), 1 << 30, 0).decode("utf-8", "surrogateescape") for file in (out, err)]
    return _checked(Ran(words, status, *texts), code)


def filed_program(
    *arguments: str | Path | bytes,
    code: int | tuple[int, ...] = 0,
    env: Mapping[str, str] | None = None,
    under: tuple[str, ...] = (),
    **popen: Any,
) -> Ran:
    """Run the installed program. under: a command that runs it, such as strace."""
    words = tuple(word if isinstance(word, str) else os.fsdecode(word) for word in arguments)
    ran = subprocess.run(
        [*under, str(PROGRAM), *words],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
        **popen,
    )
    out, err = (text.decode("utf-8", "surrogateescape") for text in (ran.stdout, ran.stderr))
    return _checked(Ran(words, ran.returncode, out, err), code)


def _checked(ran: Ran, code: int | tuple[int, ...]) -> Ran:
    assert ran.code in ((code,) if isinstance(code, int) else code), str(ran)
    return ran


def become(user: int) -> None:
    """For a child: from root to an ordinary user, for good."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _child(words: tuple[str, ...], out: int, err: int, user: int | None, before: Callable[[], object]) -> None:
    code = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        if user is not None:
            become(user)
        before()
        code = run(list(words))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)
