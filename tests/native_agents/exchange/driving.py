"""The agent without a Job around it: begun as a test says, with a host that writes down what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from filed.agents import Agent, AgentJob, Begin, Entry, Kind, Level, Severity, StateWhy, StatusPage, Verdict, load
from filed.agents.options import check_options
from tests.native_agents.exchange.jobs import Jobs
from tests.native_agents.host import OfVersion10

EVERYTHING = b"I\nF /@EXCHANGE/\nN\n"


@dataclass
class Host(OfVersion10):
    """What an agent has said."""

    messages: list[tuple[Severity, str]] = field(default_factory=list)
    state: tuple[bytes, int] = (b"", 0)

    def message(self, severity: Severity, text: str) -> None:
        self.messages.append((severity, text))

    @staticmethod
    def match(_path: bytes, _entry: Entry) -> int:
        return Verdict.TAKE

    def put_state(self, state: bytes, state_format: int) -> bool:
        self.state = (state, state_format)
        return True

    def secret(self, _name: str) -> None:
        """There are none."""


@contextmanager
def begun(jobs: Jobs, why: Begin) -> Iterator[tuple[AgentJob, Host]]:
    host = Host()
    status_page = StatusPage()
    library = load("exchange", jobs.place.agents, status_page=status_page)
    settings = check_options(library.descriptor, jobs.plugin().options)
    with Agent(library, host, status_page, settings) as agent, agent.begin(why) as job:
        yield job, host


def incremental(state: bytes, state_format: int, why: StateWhy = StateWhy.FOUND) -> Begin:
    return Begin(
        Kind.BACKUP,
        Level.INCREMENTAL,
        why,
        fileset=EVERYTHING,
        job="J2",
        base_job="J1",
        state=state,
        state_format=state_format,
    )
