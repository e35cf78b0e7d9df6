"""Which line of a FileSet goes to which agent.

`plugin` lines of the conf say which agents a Job is offered to, in order. A File line goes to the first that claims its path; a Plugin
line of a FileSet to the agent it names. A line that nobody takes fails the Job before anything is saved.

The File lines of each Include have an instance of their own, so that what a FileSet takes is what any of its Includes takes. Where lines of two of
them overlap, both list the same names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import permutations

from filed.agents import Feature, Library, agent_id
from filed.agents.descriptor import Descriptor
from filed.agents.options import Settings, check_options
from filed.errors import JobError
from filed.fileset import FileSet, Matcher
from filed.job.agents.instance import Instance, Services
from filed.job.agents.libraries import Libraries, line_of
from filed.job.context import Messages
from filed.job.description import AgentLine


def instances(libraries: Libraries, fileset: FileSet, messages: Messages, stack: ExitStack) -> list[Instance]:
    """Create and configure an instance for each agent's File lines of each Include, and one for each Plugin line.

    They are destroyed with `stack`. Raises JobError for a line that nobody takes.
    """
    made: list[Instance] = []

    def make(library: Library, settings: Settings, part: FileSet, line: str) -> None:
        matcher = Matcher(part)
        services = Services(messages, library.descriptor.id, matcher)
        agent = stack.enter_context(libraries.agent(library, services, settings))
        number = sum(one.agent.descriptor.id == library.descriptor.id and one.line == line for one in made) + 1
        made.append(Instance(agent, services, matcher, part, line, _command(library, line), number))

    lines = libraries.setup.lines
    for line, taken in claimed(fileset, lines, lambda name: libraries.of(name).descriptor):
        library = libraries.of(line.name)
        for part in fileset.narrowed(taken.__contains__, lambda _plugin: False).parts():
            make(library, check_options(library.descriptor, line.options), part, "")
    _mark_shared(made)
    for each in fileset.parts():
        for plugin in each.includes[0].plugins:
            line = libraries.line_of(agent_of(plugin))
            library = libraries.of(line.name)
            settings = settings_of(plugin, line, library.descriptor)
            make(library, settings, each.narrowed(lambda _file: False, plugin.__eq__), plugin)
    return made


def claimed(
    fileset: FileSet, lines: Sequence[AgentLine], describe: Callable[[str], Descriptor]
) -> Iterator[tuple[AgentLine, set[bytes]]]:
    """Which File lines the agents of the conf take, those that take any. Raises JobError for one that nobody does."""
    left = {path for include in fileset.includes for path in include.files}
    for line in lines:
        claims = describe(line.name).claims
        taken = {path for path in left if any(path.startswith(claim) for claim in claims)}
        left -= taken
        if taken:
            yield line, taken
    if left:
        names = ", ".join(agent_id(line.name) for line in lines)
        raise JobError(f"File = {min(left).decode('utf-8', 'replace')}: no agent takes it; the conf names: {names}")


def agent_of(plugin: str) -> str:
    """The agent that a Plugin line of a FileSet names."""
    return plugin.partition(":")[0].strip()


def settings_of(plugin: str, line: AgentLine, about: Descriptor) -> Settings:
    """What an instance for a Plugin line gets, with the options of the conf's line. Raises ConfigError, JobError."""
    given = () if about.features & Feature.VERBATIM else parse_plugin_line(plugin)
    return check_options(about, line.options, given)


def check_lines(fileset: FileSet, lines: Sequence[AgentLine], describe: Callable[[str], Descriptor]) -> None:
    """Raises what `instances` would, without loading anything."""
    for line, _ in claimed(fileset, lines, describe):
        check_options(describe(line.name), line.options)
    for include in fileset.includes:
        for plugin in include.plugins:
            line = line_of(lines, agent_of(plugin), describe)
            settings_of(plugin, line, describe(line.name))


def _mark_shared(made: list[Instance]) -> None:
    """Tell instances of File lines which of their names others may list, too: those at or below a line of both."""
    for one, other in permutations(made, 2):
        roots = [inner for outer in _places(one) for inner in _places(other) if (inner + b"/").startswith(outer + b"/")]
        one.shared += tuple(roots)
        other.shared += tuple(roots)


def _places(instance: Instance) -> list[bytes]:
    """Where its walks begin, without a slash at the end."""
    return [os.path.normpath(path).rstrip(b"/") for path in instance.prefixes]


def _command(library: Library, line: str) -> bytes:
    """What stands in the plugin-name records of an instance's entries; b"" for plain files, which have none."""
    about = library.descriptor
    if about.features & Feature.PLAIN_FILES:
        return b""
    if about.features & Feature.VERBATIM and line:
        return line.encode("utf-8", "surrogateescape")
    return f"{about.id}:{about.format}:{line.partition(':')[2]}".encode("utf-8", "surrogateescape")


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
