"""The agents of one Job: which line of the FileSet goes to whom, and each instance from `create` to `end`.

`plugin` lines of the conf say which agents a Job is offered to, in order. A File line goes to the first that claims its path; a Plugin
line of a FileSet to the agent it names. A line that nobody takes fails the Job before anything is saved.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass

from filed.agents import (
    Agent,
    AgentJob,
    Attr,
    Begin,
    Entry,
    EntryFlag,
    Feature,
    Library,
    LimitsInForce,
    Outcome,
    Severity,
    StateWhy,
    Status,
    Verdict,
    agent_id,
    identity_of,
    load,
)
from filed.agents.options import Settings, check_options
from filed.catalog import SealedState
from filed.config.limits import NO_LIMITS, AgentLimits
from filed.errors import AgentError, JobError
from filed.fileset import FileSet, Matcher
from filed.job.agents.sealed import without_state
from filed.job.context import Workplace
from filed.job.description import AgentLine, AgentSetup
from filed.process.outcome import Severity as JobSeverity

_SEVERITIES = {
    Severity.DEBUG: JobSeverity.DEBUG,
    Severity.INFO: JobSeverity.INFO,
    Severity.WARNING: JobSeverity.WARNING,
    Severity.ERROR: JobSeverity.ERROR,
}
NODUMP = int(Attr.NODUMP)
TOP = int(EntryFlag.TOP)


class Services:
    """What the host does for one instance: messages, verdicts, its pending state."""

    def __init__(self, place: Workplace, name: str, matcher: Matcher | None) -> None:
        self._place, self._name, self._matcher = place, name, matcher
        self.state: tuple[bytes, int] | None = None

    def message(self, severity: Severity, text: str) -> None:
        self._place.message(_SEVERITIES[severity], f"{self._name}: {text}")

    def match(self, path: bytes, entry: Entry) -> int:
        if self._matcher is None:
            return Verdict.NONE
        top = bool(entry.flags & TOP)
        nodump = bool(entry.attrs & NODUMP)
        fs_type = entry.fs_type or None
        verdict, text = self._matcher.directory(path, entry.dev, fs_type, nodump=nodump, top=top)
        if text:
            self._place.info(text)
        return verdict

    def put_state(self, state: bytes, state_format: int) -> None:
        self.state = (state, state_format)

    def secret(self, name: str) -> None:
        """Secrets are options of the agent, which it may ask for by key; there are no others."""


@dataclass(slots=True)
class Instance:
    """One instance of an agent, made and ready. command: of its plugin-name records, b"" for plain files."""

    agent: Agent
    services: Services
    matcher: Matcher
    fileset: FileSet
    line: str  # the Plugin line; "" for File lines
    command: bytes
    job: AgentJob | None = None

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """All its names are at or below these: its File lines, or what the agent claims."""
        files = tuple(path for include in self.fileset.includes for path in include.files)
        return files or self.agent.descriptor.claims

    @property
    def pending_state(self) -> SealedState | None:
        """What the agent has put, to be sealed with the Job."""
        if self.services.state is None:
            return None
        blob, number = self.services.state
        return SealedState(self.agent.descriptor.id, self.line, number, blob)


class Libraries:
    """The agents of a setup, loaded when first needed."""

    def __init__(self, place: Workplace, setup: AgentSetup) -> None:
        self._place, self._setup = place, setup
        self._loaded: dict[str, Library] = {}
        self._limits = LimitsInForce()

    def of(self, name: str) -> Library:
        """Raises AgentLoadError with the reason."""
        known = agent_id(name)
        if known not in self._loaded:
            limits = self._limits_of(known)
            self._limits.apply(limits)
            identity = identity_of(limits.user) if limits.user else None
            library = load(
                known,
                self._setup.directories,
                digests=self._setup.digests,
                status_page=self._place.status_page,
                identity=identity,
            )
            self._place.debug(str(library))
            self._loaded[known] = library
        return self._loaded[known]

    def _limits_of(self, known: str) -> AgentLimits:
        return next((line.limits for line in self._setup.lines if agent_id(line.name) == known), NO_LIMITS)

    def timeout_s(self, library: Library) -> float:
        """How long an agent may show no sign of life."""
        own = self._limits_of(library.descriptor.id).timeout_s
        return self._setup.timeout_s if own is None else own

    def line_of(self, name: str) -> AgentLine:
        """The conf's line for the agent of that id, or of that name in former times. Raises JobError when there is none."""
        for line in self._setup.lines:
            if agent_id(line.name) == name:
                return line
        for line in self._setup.lines:
            if name in self.of(line.name).descriptor.aliases:
                return line
        loaded = ", ".join(self._names(line) for line in self._setup.lines)
        raise JobError(
            f"no agent {name!r} here; the conf names: {loaded}. Add its plugin line; `filed agent list` says what there is"
        )

    def _names(self, line: AgentLine) -> str:
        about = self.of(line.name).descriptor
        return f"{about.id} (or {', '.join(about.aliases)})" if about.aliases else about.id


def instances(place: Workplace, setup: AgentSetup, fileset: FileSet, stack: ExitStack) -> list[Instance]:
    """Create and configure an instance for each agent's File lines, and one for each Plugin line.

    They are destroyed with `stack`. Raises JobError for a line that nobody takes.
    """
    libraries = Libraries(place, setup)
    made = []
    left = {path for include in fileset.includes for path in include.files}
    for line in setup.lines:
        library = libraries.of(line.name)
        taken = {path for path in left if any(path.startswith(claim) for claim in library.descriptor.claims)}
        left -= taken
        if taken:
            part = fileset.narrowed(taken.__contains__, lambda _plugin: False)
            settings = check_options(library.descriptor, line.options)
            made.append(_instance(place, libraries, library, settings, part, "", stack))
    if left:
        names = ", ".join(agent_id(line.name) for line in setup.lines)
        raise JobError(f"File = {min(left).decode('utf-8', 'replace')}: no agent takes it; the conf names: {names}")
    for plugin in (plugin for include in fileset.includes for plugin in include.plugins):
        name = plugin.partition(":")[0].strip()
        library = libraries.of(libraries.line_of(name).name)
        given = () if library.descriptor.features & Feature.VERBATIM else parse_plugin_line(plugin)
        settings = check_options(library.descriptor, libraries.line_of(name).options, given)
        part = fileset.narrowed(lambda _file: False, plugin.__eq__)
        made.append(_instance(place, libraries, library, settings, part, plugin, stack))
    return made


def _instance(  # noqa: PLR0917  each is one of the parts that meet here
    place: Workplace,
    libraries: Libraries,
    library: Library,
    settings: Settings,
    part: FileSet,
    line: str,
    stack: ExitStack,
) -> Instance:
    about = library.descriptor
    matcher = Matcher(part)
    services = Services(place, about.id, matcher)
    agent = stack.enter_context(
        Agent(
            library,
            services,
            place.status_page,
            settings,
            cancel_pipe=place.cancel_pipe,
            timeout_s=libraries.timeout_s(library),
        )
    )
    if about.features & Feature.PLAIN_FILES:
        command = b""
    elif about.features & Feature.VERBATIM and line:
        command = line.encode("utf-8", "surrogateescape")
    else:
        given = line.partition(":")[2]
        command = f"{about.id}:{about.format}:{given}".encode("utf-8", "surrogateescape")
    return Instance(agent, services, matcher, part, line, command)


_PLUGIN_OPTION = re.compile(r"""\s*([A-Za-z][\w-]*)\s*=\s*("(?:[^"\\]|\\.)*"|[^,"]*?)\s*(?:,|$)""")


def parse_plugin_line(line: str) -> tuple[tuple[str, str], ...]:
    """The options of `Plugin = "name: key = value, key = value"`; a value with a comma stands in double quotes.

    Raises JobError that shows the place where it stops making sense.
    """
    text = line.partition(":")[2].strip()
    found, at = [], 0
    while at < len(text):
        match = _PLUGIN_OPTION.match(text, at)
        if match is None:
            raise JobError(f"Plugin = {line}: {text[at:]!r} is no `key = value`")
        value = match[2]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        found.append((match[1], value))
        at = match.end()
    return tuple(found)


def begin(place: Workplace, instance: Instance, why: Begin) -> AgentJob:
    """Begin one instance's part of a backup; when it cannot continue from its base, once more without a state.

    A superset in an Incremental restores correctly, so the level stays and the Job is warned.
    """
    try:
        instance.job = instance.agent.begin(why)
    except AgentError as error:
        return begin_again(place, instance, why, error)
    place.on_cancel(instance.job)
    return instance.job


def begin_again(place: Workplace, instance: Instance, why: Begin, error: AgentError) -> AgentJob:
    """The same without a state, when `error` says that the agent cannot continue from it; else raises `error`."""
    if error.code != Status.E_BASE or why.state_why == StateWhy.GAP:
        raise error
    if instance.job is not None:
        instance.job.end(Outcome.FAILED)
    instance.services.state = None
    place.warning(f"{error}; it saves everything it has, once more")
    instance.job = instance.agent.begin(without_state(why))
    place.on_cancel(instance.job)
    return instance.job
