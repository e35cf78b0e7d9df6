"""The agents of a restore: which instance brings back the entries saved under a plugin command, each begun at its first entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from filed.agents import Agent, AgentJob, Begin, Feature, Kind, Library, Outcome, Replace, Saved, agent_id
from filed.agents import Level as AgentLevel
from filed.agents.abi import OptionFlag
from filed.agents.options import check_options
from filed.errors import AgentError, AgentLoadError
from filed.fileset import FileSet, Include, agent_text
from filed.job.agents.instance import Services
from filed.job.agents.libraries import Libraries
from filed.job.agents.lines import parse_plugin_line
from filed.job.agents.spot_check import SpotCheck
from filed.job.context import Cancellation, Messages
from filed.job.description import NetworkRestore, RestoreJob
from filed.process.system import name_of


class Restorer:
    """The instance that restores the entries of one plugin command.

    on_restored: told the final path, the FileType and the time of what it says is whole, see SpotCheck.
    """

    def __init__(
        self,
        agent: Agent,
        job: AgentJob,
        replace: Replace,
        on_restored: Callable[[bytes, int, int], None] | None,
    ) -> None:
        self.agent, self.job, self.replace, self.on_restored = agent, job, replace, on_restored


class Restorers:
    """The instances of a restore, begun at their first entry. As a context manager it ends what was begun.

    on_begin: told the id of each agent that is about to restore.  saved: what each gets to know of the Job that is restored.
    """

    def __init__(  # noqa: PLR0917  each is one of the parts that meet here
        self,
        libraries: Libraries,
        job: RestoreJob | NetworkRestore,
        messages: Messages,
        cancellation: Cancellation,
        on_begin: Callable[[str], None] = lambda _agent: None,
        saved: Callable[[], Saved] = Saved,
    ) -> None:
        self._spot_checks: dict[bytes, SpotCheck] = {}
        self._libraries, self._job, self._on_begin, self._saved = libraries, job, on_begin, saved
        self._messages, self._cancellation = messages, cancellation
        self._open = ExitStack()
        self._begun: dict[bytes, Restorer] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._open.__exit__(kind, value, tb)

    def __iter__(self) -> Iterator[Restorer]:
        return iter(self._begun.values())

    def of(self, command: bytes) -> Restorer:
        """The restorer for entries saved under `command`; b"" is the agent of plain files.

        Raises AgentLoadError when nobody here restores them.
        """
        known = self._begun.get(command)
        return known if known is not None else self._begin(command)

    def commit(self) -> None:
        """After the last record: directories' attributes, recovery, services."""
        for restorer in self:
            restorer.job.commit()
            restorer.job.end(Outcome.DONE)
        for command, spot_check in self._spot_checks.items():
            for text in spot_check.warnings(self._begun[command].agent.label):
                self._messages.warning(text)

    def plan(self, commands: Iterable[bytes]) -> None:
        """In a dry run: what the agents of these commands say about it. An error of one is reported, and the next is asked."""
        for command in commands:
            try:
                agent = self._agent(command)
                if not agent.plans:
                    self._messages.debug(f"agent {agent.label} cannot say beforehand whether it can restore")
                    continue
                with agent.begin(self._why(agent, command)) as job:
                    self._cancellation.on_cancel(job)
                    job.plan()
                    job.end(Outcome.DONE)
            except AgentError as error:
                self._messages.error(str(error))

    def unused_options(self) -> None:
        """Say which options were chosen for an agent that restores nothing."""
        used = {restorer.agent.descriptor.id for restorer in self}
        for agent, key, _ in self._job.options:
            if agent not in used:
                self._messages.warning(f"option {agent}:{key} is of no use: agent {agent} restores nothing of this Job")

    def _begin(self, command: bytes) -> Restorer:
        agent = self._agent(command)
        why = self._why(agent, command)
        self._on_begin(agent.descriptor.id)
        job = self._open.enter_context(agent.begin(why))
        self._cancellation.on_cancel(job)
        job.plan()
        replace = Replace[self._job.replace.name]
        spot_check = None
        if command and replace is Replace.ALWAYS:  # the agent of plain files has been looked at enough
            spot_check = self._spot_checks[command] = SpotCheck()
        restorer = Restorer(agent, job, replace, None if spot_check is None else spot_check.note)
        self._begun[command] = restorer
        return restorer

    def _agent(self, command: bytes) -> Agent:
        """The instance that restores what was saved under `command`."""
        library = self._library(command)
        about = library.descriptor
        self._check_format(library, command)
        options = [line.options for line in self._job.agents.lines if agent_id(line.name) == about.id]
        chosen = [(key, value) for agent, key, value in self._job.options if agent == about.id]
        settings = check_options(about, options[0] if options else (), self._saved_options(library, command), chosen)
        services = Services(self._messages, about.id, None)
        return self._open.enter_context(self._libraries.agent(library, services, settings))

    def _why(self, agent: Agent, command: bytes) -> Begin:
        where = name_of(self._job.where).rstrip(b"/")
        fileset = b""
        if agent.descriptor.features & Feature.VERBATIM and command:
            line = command.decode("utf-8", "surrogateescape")
            fileset = agent_text(FileSet(includes=(Include(plugins=(line,)),)))
        return Begin(Kind.RESTORE, AgentLevel.NONE, where=where, fileset=fileset, saved=self._saved())

    def _check_format(self, library: Library, command: bytes) -> None:
        """Raises AgentLoadError when the entries are in a format that this agent does not know yet."""
        about = library.descriptor
        number = command.split(b":", 2)[1:2]
        if about.features & (Feature.VERBATIM | Feature.PLAIN_FILES) or not number or not number[0].isdigit():
            return
        if int(number[0]) > about.format:
            text = f"its entries were saved in format {int(number[0])}, this one reads up to {about.format}: install a newer one"
            raise AgentLoadError(about.id, "load", 0, text)

    def _saved_options(self, library: Library, command: bytes) -> list[tuple[str, str]]:
        """Those of the Plugin line that the entries were saved by. What the agent does not take any more is left out."""
        about = library.descriptor
        if about.features & (Feature.VERBATIM | Feature.PLAIN_FILES):
            return []
        line = b":".join(command.split(b":", 2)[::2]).decode("utf-8", "surrogateescape")
        known = {spec.key for spec in about.options if spec.flags & OptionFlag.FROM_DIRECTOR}
        kept = []
        for key, value in parse_plugin_line(line):
            if key in known or not about.options:
                kept.append((key, value))
            else:
                self._messages.warning(f"agent {about.label} takes no option {key} any more; it restores without")
        return kept

    def _library(self, command: bytes) -> Library:
        name = command.partition(b":")[0].decode("utf-8", "replace").strip() if command else "filesystem"
        for line in self._job.agents.lines:
            library = self._libraries.of(line.name)
            about = library.descriptor
            if name in (about.id, *about.aliases):
                return library
        if not command:
            return self._libraries.of(name)
        raise AgentLoadError(
            name, "load", 0, "entries of this agent cannot be restored: the conf has no plugin line for it"
        )
