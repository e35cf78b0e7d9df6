"""What agents say about themselves, asked in a throw-away process each: `filed agent list`, `info` and `options`.

Opening a library runs its constructors, and the query is the agent's code as well. Neither may happen in the daemon, and
neither may end the listing of the others: each agent is opened by `python -m filed.agents.scan`, which is asked on its
standard input and answers on its standard output in JSON, and whose status page says where it died when it did not.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filed
from filed.agents.abi import Feature, OptionFlag, OptionType
from filed.agents.descriptor import Descriptor, OptionSpec
from filed.agents.load import SUFFIX, find, load
from filed.errors import AgentLoadError
from filed.process.backtrace import Backtrace
from filed.process.exit_report import describe_exit, describe_hang
from filed.process.limits import bound_process
from filed.process.status_page import PAGE_BYTES, StatusPage
from filed.process.system import SharedMemory, exit_code, handed_memory, kill_group

SCAN_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Scanned:
    """One library in an agent directory. `about` is None when it cannot be used; `refused` then says why."""

    id: str
    path: Path
    about: Descriptor | None
    version: int = 0
    refused: str = ""


def scan(directories: Sequence[Path], digests: Collection[str] = ()) -> list[Scanned]:
    """Every agent that the directories hold, the first of each id, by id."""
    ids = {path.name.removesuffix(SUFFIX) for directory in directories for path in directory.glob("*" + SUFFIX)}
    return [examine(agent, directories, digests) for agent in sorted(ids)]


def examine(
    name: str, directories: Sequence[Path], digests: Collection[str] = (), *, timeout_s: float = SCAN_TIMEOUT_S
) -> Scanned:
    """What one agent says. A refusal, a crash or a hang is in `refused`; raises AgentLoadError when there is none."""
    path = find(name, directories)
    agent = path.name.removesuffix(SUFFIX)
    question = json.dumps({"name": agent, "directories": [str(path.parent)], "digests": sorted(digests)})
    # -P: nothing is imported from the directory we happen to stand in, which may be anybody's.
    command = [sys.executable, "-P", "-m", "filed.agents.scan"]
    environment = os.environ | {"PYTHONPATH": str(Path(filed.__file__).parents[1])}
    with handed_memory(PAGE_BYTES) as (memory, page, descriptors):
        status_page = StatusPage(memory)
        process = subprocess.Popen(
            [*command, page],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=descriptors,
            env=environment,
            start_new_session=True,
        )
        try:
            answer, _ = process.communicate(question.encode(), timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return Scanned(agent, path, None, refused=f"{describe_hang(status_page, timeout_s)}; not loaded")
        finally:
            kill_group(process.pid)  # with whatever it started
            process.communicate()
        if process.returncode:
            return Scanned(
                agent, path, None, refused=f"{describe_exit(status_page, exit_code(process.returncode))}; not loaded"
            )
    return _judge(agent, path, answer, status_page)


def _judge(agent: str, path: Path, answer: bytes, status_page: StatusPage) -> Scanned:
    try:
        said = json.loads(answer)
        if "refused" in said:
            return Scanned(agent, path, None, refused=said["refused"])
        return Scanned(agent, path, _from_json(said["agent"]), said["version"])
    except (ValueError, TypeError, KeyError):
        return Scanned(agent, path, None, refused=f"{describe_exit(status_page, 0)}; not loaded")


def _to_json(about: Descriptor) -> dict[str, Any]:
    said = dataclasses.asdict(about)
    said["claims"] = [os.fsdecode(claim) for claim in about.claims]
    return said


def _from_json(said: dict[str, Any]) -> Descriptor:
    options = tuple(
        OptionSpec(
            **option
            | {
                "type": OptionType(option["type"]),
                "flags": OptionFlag(option["flags"]),
                "choices": tuple(option["choices"]),
            }
        )
        for option in said["options"]
    )
    claims = tuple(os.fsencode(claim) for claim in said["claims"])
    aliases = tuple(said["aliases"])
    features = Feature(said["features"])
    return Descriptor(**said | {"options": options, "claims": claims, "aliases": aliases, "features": features})


def main() -> None:
    """The throw-away process. Its one argument is the name of the status page."""
    status_page = StatusPage(SharedMemory(PAGE_BYTES, sys.argv[1]))
    answer = os.dup(1)
    os.dup2(2, 1)  # what agents' constructors print is not for the answer
    bound_process()
    if sys.platform == "win32":
        Backtrace().install()  # else ctypes would make an exception of a crash
    question = json.load(sys.stdin)
    directories = [Path(directory) for directory in question["directories"]]
    try:
        library = load(question["name"], directories, digests=question["digests"], status_page=status_page)
        said = {"agent": _to_json(library.descriptor), "version": library.version}
    except AgentLoadError as refusal:
        said = {"refused": str(refusal)}
    os.write(answer, json.dumps(said).encode())
    os._exit(0)  # agents' exit handlers have nothing to add


if __name__ == "__main__":
    main()
