"""From an agent's id to a loaded, checked, negotiated library.

Done in a job process, or in the throw-away process of `scan`; never in the daemon, since opening a library runs its
constructors. A library is never unloaded: thread-local destructors and running threads would outlive its code.
"""

from __future__ import annotations

import ctypes
import difflib
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filed.agents.abi import HOST_MAX, HOST_MIN, QUERY_SYMBOL, BpAgentApi, QueryFn, version_text
from filed.agents.descriptor import ID, Descriptor, read_descriptor
from filed.agents.trust import Writers, check_digest, check_path, check_search_paths, trusted_writers
from filed.errors import AgentLoadError
from filed.process.identity import Identity
from filed.process.status_page import Call, StatusPage
from filed.process.system import LIBRARY_SUFFIX, library_at, open_library

if sys.platform == "win32":
    from filed.agents.pe import made_for_python, search_paths, why_not_loadable
else:
    from filed.agents.elf import made_for_python, search_paths, why_not_loadable

SUFFIX = LIBRARY_SUFFIX
_ANY_SUFFIX = (".so", ".dll")


@dataclass(frozen=True, slots=True)
class Library:
    """A loaded agent. `version` is the negotiated one; `api` our copy of its function table.

    kept: what C was given pointers to and ctypes would let go of too early.  identity: as whom its functions are called; its
    constructors, which the dynamic loader calls, are not.
    """

    path: Path
    descriptor: Descriptor
    version: int
    api: BpAgentApi = field(repr=False)
    handle: ctypes.CDLL = field(repr=False)
    kept: list[object] = field(repr=False, default_factory=list)
    identity: Identity | None = None

    def __str__(self) -> str:
        """The line for the log."""
        about = self.descriptor
        return (
            f"agent {about.label} from {self.path}: built with header {version_text(about.header)},"
            f" speaking {version_text(self.version)}, {about.features!r}"
        )


FORMER_NAMES = {"bpipe": "pipe", "bpipe-fd": "pipe"}
"""Plugins of bacula-fd whose work an agent of another name does. A FileSet's lines may keep the old name."""


def agent_id(name: str) -> str:
    """`exchange.dll`, `exchange.so` and `exchange` name the same agent. Raises AgentLoadError for what is no id.

    A path is no id: a Director, too, may only name an agent, never a file.
    """
    stem = next((name.removesuffix(suffix) for suffix in _ANY_SUFFIX if name.endswith(suffix)), name)
    if not ID.fullmatch(stem):
        raise AgentLoadError(
            name, "load", 0, "this is no agent's name: give lower-case letters, digits and -, without a directory"
        )
    return stem


def find(name: str, directories: Sequence[Path]) -> Path:
    """The library of an agent, in the first directory that has one, absolute. Raises AgentLoadError."""
    agent = agent_id(name)
    for directory in directories:
        path = Path(os.path.abspath(directory)) / (agent + SUFFIX)  # noqa: PTH100  resolve() would follow links
        try:
            if path.is_file():
                return path
        except PermissionError as why:
            text = f"{path} cannot be looked at: {why.strerror}; let this user in, or name another Plugin Directory"
            raise AgentLoadError(agent, "load", 0, text) from why
    for directory in directories:
        for other in _ANY_SUFFIX:
            if other != SUFFIX and (foreign := directory / (agent + other)).exists():
                text = f"{foreign} is a library for another system; this one loads {agent}{SUFFIX}"
                raise AgentLoadError(agent, "load", 0, text)
    if agent in FORMER_NAMES:
        text = f"there is no agent {agent}; what it did is done by {FORMER_NAMES[agent]}: write `plugin {FORMER_NAMES[agent]}`"
        raise AgentLoadError(agent, "load", 0, text)
    places = ", ".join(str(directory) for directory in directories) or "no directory is configured"
    near = difflib.get_close_matches(agent, _names_in(directories), 1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    raise AgentLoadError(agent, "load", 0, f"there is no {agent}{SUFFIX}{meant}; looked in: {places}")


def _names_in(directories: Sequence[Path]) -> list[str]:
    """What agents there are, as far as the directories can be read."""
    found: set[str] = set()
    for directory in directories:
        with suppress(OSError):
            found |= {path.stem for path in directory.iterdir() if path.suffix == SUFFIX}
    return sorted(found)


def load(
    name: str,
    directories: Sequence[Path],
    *,
    digests: Collection[str] = (),
    writers: Writers | None = None,
    status_page: StatusPage | None = None,
    identity: Identity | None = None,
) -> Library:
    """Finds, trusts, opens, asks and negotiates. Every refusal is an AgentLoadError with the agent's id.

    digests: lower-case SHA-256 of the libraries that may be loaded; empty: any that the path's owners put there.
    writers: who may write them, default `trusted_writers()`. status_page: where a crash in the library's constructors or in
    the query shows.
    """
    agent = agent_id(name)
    named = find(name, directories)
    accepted = writers or trusted_writers()
    check_path(agent, named, accepted)
    path = named.resolve(strict=True)
    check_path(agent, path, accepted)
    if digests:
        check_digest(agent, path, digests)
    flaw = why_not_loadable(path)
    if flaw:
        raise AgentLoadError(agent, "load", 0, f"not loaded: {flaw}")
    check_search_paths(agent, path, search_paths(path), accepted)
    ours = "{}.{}".format(*sys.version_info)
    if (python := made_for_python(path)) not in ("", ours):
        text = f"it was made for Python {python}, and filed runs on {ours}: make it again, with `filed agent cflags --python`"
        raise AgentLoadError(agent, "load", 0, f"not loaded: {text}")
    with _marked(status_page, agent, Call.load):
        try:
            handle = open_library(path)
        except OSError as why:
            raise AgentLoadError(agent, "load", 0, f"not loaded: {why}") from why
    query = query_function(agent, path, handle)
    # Reading the descriptor is part of it: a wild pointer crashes there.
    with _marked(status_page, agent, Call.query):
        address = query(HOST_MIN, HOST_MAX)
        if not address:
            ours = f"{version_text(HOST_MIN)} to {version_text(HOST_MAX)}"
            raise AgentLoadError(agent, "load", 0, f"not loaded: it refuses this host's versions {ours}")
        descriptor, api, chosen = read_descriptor(agent, address)
    return Library(path, descriptor, chosen, api, handle, identity=identity)


@contextmanager
def _marked(status_page: StatusPage | None, agent: str, call: Call) -> Iterator[None]:
    if status_page is None:
        yield
        return
    status_page.mark(call, status_page.register(agent))
    try:
        yield
    finally:
        status_page.unmark()


def query_function(agent: str, path: Path, handle: ctypes.CDLL) -> Callable[[int, int], int | None]:
    """The entry point, which must be in that very file: dlsym also searches what the library was linked with."""
    try:
        symbol = getattr(handle, QUERY_SYMBOL)
    except AttributeError as why:
        raise AgentLoadError(
            agent, "load", 0, f"not loaded: {path} does not export {QUERY_SYMBOL}: it is no agent"
        ) from why
    address = ctypes.cast(symbol, ctypes.c_void_p).value or 0
    where = library_at(address)
    if where is None or not where.samefile(path):
        raise AgentLoadError(
            agent, "load", 0, f"not loaded: {QUERY_SYMBOL} comes from {where}, which {path} was linked with"
        )
    return QueryFn(address)
