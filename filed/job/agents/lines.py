"""Which line of a FileSet goes to which agent.

`plugin` lines of the conf say which agents a Job is offered to, in order. A File line goes to the first that claims its path; a Plugin
line of a FileSet to the agent it names. A line that nobody takes fails the Job before anything is saved.

The File lines of each Include have an instance of their own, so that what a FileSet takes is what any of its Includes takes. Where lines of two of
them overlap, both list the same names.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from itertools import permutations

from filed.agents import Feature, Library, agent_id
from filed.agents.options import Settings, check_options
from filed.errors import JobError
from filed.fileset import FileSet, Matcher
from filed.job.agents.instance import Instance, Services
from filed.job.agents.libraries import Libraries
from filed.job.context import Messages


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
    left = {path for include in fileset.includes for path in include.files}
    for line in lines:
        library = libraries.of(line.name)
        taken = {path for path in left if any(path.startswith(claim) for claim in library.descriptor.claims)}
        left -= taken
        if taken:
            for part in fileset.narrowed(taken.__contains__, lambda _plugin: False).parts():
                make(library, check_options(library.descriptor, line.options), part, "")
    if left:
        names = ", ".join(agent_id(line.name) for line in lines)
        raise JobError(f"File = {min(left).decode('utf-8', 'replace')}: no agent takes it; the conf names: {names}")
    _mark_shared(made)
    for each in fileset.parts():
        for plugin in each.includes[0].plugins:
            line = libraries.line_of(plugin.partition(":")[0].strip())
            library = libraries.of(line.name)
            given = () if library.descriptor.features & Feature.VERBATIM else parse_plugin_line(plugin)
            settings = check_options(library.descriptor, line.options, given)
            make(library, settings, each.narrowed(lambda _file: False, plugin.__eq__), plugin)
    return made


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
