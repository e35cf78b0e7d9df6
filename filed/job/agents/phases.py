"""Several agents as of one moment: all are prepared, all begin, then those that were prepared are released, then any is read.

What is prepared holds still: others wait for it. So there is a deadline, and a release that comes whatever happens: of a Job that
fails, by the Job; of a process that dies, by another one (`release_left`, from its parent or from the next Job).
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from filed.agents import Release, StatusPage
from filed.agents.options import check_options
from filed.errors import AgentError, FiledError, JobCanceled, JobError
from filed.job.agents.holds import Hold, left
from filed.job.agents.instance import Instance, Services
from filed.job.agents.libraries import Libraries
from filed.job.agents.lines import settings_of
from filed.job.context import Cancellation, Messages

HOLD_S: Final = 60
KILL_AFTER_S: Final = 5.0


def keep_holds(made: Sequence[Instance], scratch: Path, messages: Messages, stack: ExitStack) -> None:
    """Where the tokens of the instances go. When `stack` closes, those that are still there are let go."""
    for instance in made:
        if instance.agent.hold_s is not None:
            hold = Hold(scratch, instance.agent.descriptor.id, instance.line, instance.number)
            instance.services.keep = hold.keep
            stack.callback(_let_go, instance, hold, messages)


def _let_go(instance: Instance, hold: Hold, messages: Messages) -> None:
    if not hold.token:
        return
    try:
        instance.agent.release(Release.LEFT, hold.token)
    except FiledError as error:
        messages.error(f"{error}; it is tried again with the next Job")
    else:
        hold.keep(b"")


@contextmanager
def prepared(
    made: Sequence[Instance], messages: Messages, cancellation: Cancellation, status_page: StatusPage
) -> Iterator[None]:
    """Prepare those that can be; within it all begin; released when it is left."""
    ready = [instance for instance in made if instance.agent.hold_s is not None]
    if not ready:
        yield
        return
    seconds = min(instance.agent.hold_s or HOLD_S for instance in ready)
    begun: list[Instance] = []
    when = Release.FAILED
    with _deadline(seconds, begun, cancellation, status_page) as over:
        try:
            for instance in ready:
                begun.append(instance)
                instance.agent.prepare()
            yield
            when = Release.BEGUN
        except JobCanceled:
            if over.is_set():
                raise JobError(status_page.backtrace) from None
            raise
        finally:
            for instance in reversed(begun):
                try:
                    instance.agent.release(when)
                except AgentError as error:
                    messages.error(str(error))
    if over.is_set():
        raise JobError(status_page.backtrace)


@contextmanager
def _deadline(
    seconds: float, held: Sequence[Instance], cancellation: Cancellation, status_page: StatusPage
) -> Iterator[threading.Event]:
    """When it is over the Job is canceled; when that does not help, the process is killed: its parent sees to the release."""

    over = threading.Event()

    def cancel() -> None:
        over.set()
        names = ", ".join(instance.agent.label for instance in held)
        status_page.set_reason(f"held still for more than {seconds:g} s before all agents had begun: {names}")
        cancellation.cancel()

    timers = (
        threading.Timer(seconds, cancel),
        threading.Timer(seconds + KILL_AFTER_S, os.kill, (os.getpid(), signal.SIGKILL)),
    )
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield over
    finally:
        for timer in timers:
            timer.cancel()


def release_left(libraries: Libraries, scratch: Path, messages: Messages) -> None:
    """Let go of what processes that are gone have left held. Raises nothing: what cannot be let go is reported, and stays."""
    for held in left(scratch):
        with held.claimed() as ours:
            if not ours:
                continue
            try:
                _release(libraries, held.agent, held.line, held.token, messages)
            except FiledError as error:
                messages.error(f"left held by a Job that died: {error}; it is tried again with the next Job")
            else:
                held.forget()
                messages.info(f"agent {held.agent} let go of what a Job that died had left held")


def _release(libraries: Libraries, name: str, plugin: str, token: bytes, messages: Messages) -> None:
    line = libraries.line_of(name)
    library = libraries.of(line.name)
    about = library.descriptor
    settings = settings_of(plugin, line, about) if plugin else check_options(about, line.options)
    with libraries.agent(library, Services(messages, about.id, None), settings) as agent:
        if agent.hold_s is None:
            raise JobError(f"agent {about.label} has no release any more")
        agent.release(Release.LEFT, token)
