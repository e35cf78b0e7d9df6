"""The agents of a Job's setup: their libraries, loaded when first needed, and instances of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from filed.agents import Agent, HostServices, Library, LimitsInForce, agent_id, identity_of, load
from filed.agents.descriptor import Descriptor
from filed.agents.options import Settings
from filed.config.limits import NO_LIMITS, AgentLimits
from filed.errors import JobError
from filed.job.context import Cancellation, Messages
from filed.job.description import AgentLine, AgentSetup
from filed.process.status_page import StatusPage


class Libraries:
    """The agents of a setup, loaded when first needed."""

    def __init__(
        self,
        setup: AgentSetup,
        messages: Messages,
        cancellation: Cancellation,
        status_page: StatusPage,
        lost: Callable[[], str] = str,
    ) -> None:
        """lost: as of `Agent`."""
        self.setup = setup
        self._messages, self._cancellation, self._status_page = messages, cancellation, status_page
        self._lost = lost
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
                self.setup.directories,
                digests=self.setup.digests,
                status_page=self._status_page,
                identity=identity,
            )
            self._messages.debug(str(library))
            self._loaded[known] = library
        return self._loaded[known]

    def _limits_of(self, known: str) -> AgentLimits:
        return next((line.limits for line in self.setup.lines if agent_id(line.name) == known), NO_LIMITS)

    def agent(self, library: Library, services: HostServices, settings: Settings) -> Agent:
        """An instance, which is a context manager. It may show no sign of life for as long as the conf says."""
        own = self._limits_of(library.descriptor.id).timeout_s
        return Agent(
            library,
            services,
            self._status_page,
            settings,
            cancel_pipe=self._cancellation.pipe,
            timeout_s=self.setup.timeout_s if own is None else own,
            lost=self._lost,
        )

    def line_of(self, name: str) -> AgentLine:
        """As `line_of`, below."""
        return line_of(self.setup.lines, name, lambda known: self.of(known).descriptor)


def line_of(lines: Sequence[AgentLine], name: str, describe: Callable[[str], Descriptor]) -> AgentLine:
    """The conf's line for the agent of that id, or of that name in former times. Raises JobError when there is none."""
    for line in lines:
        if agent_id(line.name) == name:
            return line
    for line in lines:
        if name in describe(line.name).aliases:
            return line
    named = ", ".join(_names(describe(line.name)) for line in lines)
    raise JobError(
        f"no agent {name!r} here; the conf names: {named}. Add its plugin line; `filed agent list` says what there is"
    )


def _names(about: Descriptor) -> str:
    return f"{about.id} (or {', '.join(about.aliases)})" if about.aliases else about.id
