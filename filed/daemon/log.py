"""The daemon's own log: one event a line on stderr, as text for people or JSON for machines.

What a client's process binds, its Director and its Job, stands in each line of its process from then on. What the Director is told about a
Job is something else: its messages.
"""

from __future__ import annotations

import logging
from datetime import datetime
from enum import StrEnum
from typing import TextIO

import structlog


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


def configure(form: LogFormat, stream: TextIO, *, debug: bool) -> None:
    """Of the whole process, and of those it forks."""
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if form is LogFormat.TEXT:
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(),
            pad_event_to=0,
            pad_level=False,
            exception_formatter=structlog.dev.plain_traceback,
        )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.ExtraAdder(),
            structlog.stdlib.add_log_level,  # behind what callers add: the level of a line is the log's
            local_time,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta]
        + ([structlog.processors.format_exc_info] if form is LogFormat.JSON else [])
        + [renderer],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if debug else logging.INFO)


def local_time(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """2026-10-25T02:30:00.123+01:00. structlog's own stamp of local time has no offset."""
    event["timestamp"] = datetime.now().astimezone().isoformat(timespec="milliseconds")
    return event


def bind(**facts: str | int) -> None:
    """Facts that all later lines of this process carry."""
    structlog.contextvars.bind_contextvars(**facts)
