"""A Job's context whose messages can be read, and whole Jobs of the agents of the tests."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from filed.cli.agents import shipped_agents
from filed.job.agents.libraries import Libraries
from filed.job.agents.restorers import Restorers
from filed.job.context import JobContext
from filed.job.decode.receive import Receiving
from filed.job.description import AgentSetup, RestoreJob
from filed.pipeline import Decoder
from filed.process.channel import Event, Receiver, Sender
from filed.process.status_page import StatusPage
from tests.system_agents.conftest import agents_dir, bad_with_fetch  # noqa: F401  fixtures
from tests.system_agents.jobs import Place


@dataclass
class Desk:
    """A Job's context and the parent's end of it. ring: what a cancel writes to."""

    context: JobContext
    sock: socket.socket
    ring: int

    def events(self) -> list[Event]:
        """What was sent up to now."""
        self.sock.setblocking(False)
        receiver, found = Receiver(), []
        while True:
            try:
                data = self.sock.recv(1 << 16)
            except BlockingIOError:
                return found
            found += receiver.feed(data)

    def libraries(self, setup: AgentSetup) -> Libraries:
        return Libraries(setup, self.context.messages, self.context.cancellation, self.context.status_page)

    def restorers(self, job: RestoreJob) -> Restorers:
        return Restorers(self.libraries(job.agents), job, self.context.messages, self.context.cancellation)

    def receiving(self, decoder: Decoder, restorers: Restorers, job: RestoreJob) -> Receiving:
        context = self.context
        return Receiving(
            decoder,
            restorers,
            job,
            messages=context.messages,
            counters=context.counters,
            status_page=context.status_page,
        )

    def texts(self) -> list[str]:
        return [str(event["text"]) for event in self.events() if event["event"] == "message"]


@contextmanager
def new_desk() -> Iterator[Desk]:
    ours, theirs = socket.socketpair()
    cancel_pipe, ring = os.pipe()
    with closing(ours), closing(theirs):
        yield Desk(JobContext.of(Sender(theirs), StatusPage(), cancel_pipe), ours, ring)
    os.close(cancel_pipe)
    os.close(ring)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with new_desk() as made:
        yield made


@pytest.fixture
def jobs(tmp_path: Path, agents_dir: Path) -> Place:  # noqa: F811
    """Whole Jobs into a directory of Volumes; the shipped agents are there, too."""
    return Place(tmp_path / "volumes", (agents_dir, shipped_agents()))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A few entries of each common kind."""
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    (root / "file").write_text("content")
    (root / "sub" / "other").write_text("other")
    (root / "link").symlink_to("file")
    os.link(root / "file", root / "hard")
    return root
