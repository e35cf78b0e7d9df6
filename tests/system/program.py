"""`filed` as its users run it: a command line in, an exit code and two streams out."""

from __future__ import annotations

import atexit
import importlib
import json
import os
import pkgutil
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filed as package
from filed.cli.main import run
from filed.job import setup
from filed.job.setup import shipped_agents

# All of it, once: children are forked from here, some as a user who may not read where Python's library lies.
OF_WINDOWS = {"filed.process.spawned", "filed.process.system.windows"}
for module in pkgutil.walk_packages(package.__path__, "filed."):
    if module.name not in OF_WINDOWS:
        importlib.import_module(module.name)


def _reachable_agents() -> Path:
    """Where the agents can be read by every user: a checkout may lie below root's own home."""
    if all(part.stat().st_mode & 0o001 for part in (AGENTS, *AGENTS.parents)):
        return AGENTS
    copied = Path(tempfile.mkdtemp(prefix="filed-agents-"))
    atexit.register(shutil.rmtree, copied, ignore_errors=True)
    copied.chmod(0o755)
    for library in AGENTS.glob("*.so"):
        shutil.copy(library, copied)
    return copied


AGENTS = shipped_agents()
REACHABLE_AGENTS = _reachable_agents()
PROGRAM = Path(sys.executable).with_name("filed")
NOBODY = 65534
HANGS_S = 300  # a command that has not ended by then never will


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


def fork() -> int:
    """os.fork, also below a test runner with threads of its own: the child uses none of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


class Running:
    """A command that has been started, in a session of its own."""

    def __init__(
        self, *arguments: str | Path | bytes, user: int | None = None, before: Callable[[], object] = lambda: None
    ) -> None:
        self.words = tuple(word if isinstance(word, str) else os.fsdecode(word) for word in arguments)
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  closed by `ended`
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = fork()
        if self.pid == 0:
            os.setsid()
            _child(self.words, self._out.fileno(), self._err.fileno(), user, before)

    def _ends_within(self, seconds: float) -> bool:
        pidfd = os.pidfd_open(self.pid)
        try:
            ended = select.poll()
            ended.register(pidfd, select.POLLIN)
            return bool(ended.poll(seconds * 1000))
        finally:
            os.close(pidfd)

    def job_process(self) -> int | None:
        """The process of its Job, while there is one."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def sleeps(self) -> bool:
        """Whether it waits for something now."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"

    def ended(self, *, code: int | tuple[int, ...] | None = None) -> Ran:
        """Wait for it. code: one of what it must end with; None: anything. One that hangs is killed, and fails the test."""
        with self._out, self._err:
            hangs = not self._ends_within(HANGS_S)
            if hangs:
                os.killpg(self.pid, signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            texts = [
                os.pread(file.fileno(), 1 << 30, 0).decode("utf-8", "surrogateescape")
                for file in (self._out, self._err)
            ]
        if hangs:
            raise AssertionError(f"it has not ended within {HANGS_S} s: {Ran(self.words, status, *texts)}")
        ran = Ran(self.words, status, *texts)
        return ran if code is None else _checked(ran, code)


def filed(
    *arguments: str | Path | bytes,
    code: int | tuple[int, ...] = 0,
    user: int | None = None,
    before: Callable[[], object] = lambda: None,
) -> Ran:
    """Run one command in a child of this process, which has imported everything already; it must end with `code`.

    user: its uid and gid. before: called in the child first, as that user.
    """
    return Running(*arguments, user=user, before=before).ended(code=code)


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


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    """For what another process does, and nobody tells us of."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


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
            setup.shipped_agents = lambda: REACHABLE_AGENTS
            become(user)
        before()
        code = run(list(words))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)
