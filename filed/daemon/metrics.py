"""What Prometheus is told, over HTTP, by a process of its own: the daemon keeps one thread and speaks with no client itself.

It asks the daemon at each scrape, so that nothing is counted twice or lost with this process. prometheus-client is an extra
(`pip install filed[metrics]`), imported only here.
"""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from filed.daemon.journal import JournalError, JournalStatus, journal_status
from filed.director.status import DaemonStatus, EndedJob
from filed.errors import ConfigError
from filed.process.system import readable

PATIENCE_S = 5.0  # for a scraper that says nothing; others wait
MAX_KINDS = 200  # of Jobs that are counted apart

log = logging.getLogger("filed")


@dataclass
class Tallies:
    """What ended since the daemon began, by (type, level, status). Letters, as in the catalog."""

    jobs: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    files: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    bytes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    errors: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, job: EndedJob) -> None:
        kind = (job.type, job.level, job.status)
        if kind not in self.jobs and len(self.jobs) >= MAX_KINDS:
            return
        for counter, number in (
            (self.jobs, 1),
            (self.files, job.files),
            (self.bytes, job.job_bytes),
            (self.errors, job.errors),
        ):
            counter[kind] += number

    def rows(self) -> list[list[str | int]]:
        """(type, level, status, jobs, files, bytes, errors) of each, for the channel."""
        return [[*kind, self.jobs[kind], self.files[kind], self.bytes[kind], self.errors[kind]] for kind in self.jobs]


def check_metrics() -> None:
    """Raises ConfigError when the library is not there."""
    try:
        import prometheus_client  # noqa: F401, PLC0415  an extra
    except ImportError:
        raise ConfigError("Metrics Port needs prometheus-client: pip install filed[metrics]") from None


class JournalCollector:
    """The watcher of the change journal as metrics, however it was started. store: its directory."""

    def __init__(self, store: Path) -> None:
        self._store = store

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

        try:
            status = journal_status(self._store)
        except JournalError as error:  # it is just beginning, or its disk fails: then nothing is watched for sure
            log.warning("metrics: %s", error)
            status = JournalStatus(running=False)
        for name, text, value in (
            ("running", "Whether a watcher runs: without one each Job walks its trees", int(status.running)),
            ("start_time_seconds", "When the watcher began, in epoch seconds", status.started),
            ("pending_names", "Names that were touched and that not every FileSet has looked at", status.names),
            ("readers", "FileSets that use the watcher", status.readers),
            ("store_bytes", "Size of the watcher's store", status.size),
        ):
            gauge = GaugeMetricFamily(f"filed_journal_{name}", text)
            gauge.add_metric([], value)
            yield gauge
        events = CounterMetricFamily("filed_journal_events", "Events since the watcher began")
        events.add_metric([], status.number)
        yield events
        watched = GaugeMetricFamily("filed_journal_watched", "Whether a file system is watched now", labels=["path"])
        text = "Before this time events may be missing, in epoch seconds; 0: none since the watcher began"
        gaps = GaugeMetricFamily("filed_journal_gap_time_seconds", text, labels=["path"])
        for each in status.file_systems:
            watched.add_metric([each.path], int(each.watched))
            gaps.add_metric([each.path], each.gap)
        yield watched
        yield gaps


class Collector:
    """The daemon's state as metrics. ask: a DaemonStatus and rows of tallies."""

    def __init__(self, ask: Callable[[], tuple[DaemonStatus, list[list[Any]]]]) -> None:
        self._ask = ask

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

        status, rows = self._ask()
        running = [job for job in status.running if job.job_id]
        started = GaugeMetricFamily("filed_start_time_seconds", "When the daemon began, in epoch seconds")
        started.add_metric([], status.started)
        agents = GaugeMetricFamily("filed_agent_info", "Agents of the conf", labels=["agent"])
        for agent in status.agents:
            agents.add_metric([agent], 1)
        yield started
        yield agents
        labels = ["type", "level"]
        gauge = GaugeMetricFamily("filed_jobs_running", "Jobs that run now", labels=labels)
        for (kind, level), count in Counter((job.type, job.level) for job in running).items():
            gauge.add_metric([kind, level], count)
        yield gauge
        for name, text, values in (
            ("files", "Files of running Jobs", sum(job.files for job in running)),
            ("bytes", "Bytes of running Jobs, as stored", sum(job.job_bytes for job in running)),
            ("errors", "Errors of running Jobs", sum(job.errors for job in running)),
        ):
            family = GaugeMetricFamily(f"filed_running_{name}", text)
            family.add_metric([], values)
            yield family
        for at, (name, text) in enumerate(
            (
                ("jobs", "Jobs that ended"),
                ("files", "Their files"),
                ("bytes", "Their bytes, as stored"),
                ("errors", "Their errors"),
            ),
            start=3,
        ):
            counter = CounterMetricFamily(
                f"filed_ended_{name}", f"{text}, since the daemon began", labels=[*labels, "status"]
            )
            for row in rows:
                counter.add_metric([str(word) for word in row[:3]], row[at])
            yield counter


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        """Scrapes are no news."""


class _Server(WSGIServer):
    """On a socket that listens already."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_name, self.server_port = "filed", 0
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that leaves is no news either."""


def serve_metrics(
    listener: socket.socket,
    cancel_pipe: int,
    ask: Callable[[], tuple[DaemonStatus, list[list[Any]]]],
    journal: Path | None = None,
) -> None:
    """Until the cancel pipe rings. Runs in a process of its own. journal: the store of the watcher that Jobs use."""
    from prometheus_client import CollectorRegistry, make_wsgi_app  # noqa: PLC0415

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector(ask))
    if journal is not None:
        registry.register(JournalCollector(journal))
    server = _Server(listener)
    server.set_app(make_wsgi_app(registry))
    while True:
        if cancel_pipe in readable(listener.fileno(), cancel_pipe):
            return
        server.handle_request()
