"""Who is here: the clients, their Jobs, and the Jobs that have ended. Kept by the daemon alone.

The last Jobs are kept in a file, so that a status shows them after a restart.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from filed.config import FileDaemonConf
from filed.daemon.api import Expected
from filed.daemon.children import Child
from filed.daemon.client_process import platform_text
from filed.daemon.metrics import Tallies
from filed.director.daemon_api import Ending
from filed.director.status import DaemonStatus, EndedJob, RunningJob
from filed.errors import printable
from filed.process.handed_socket import hand_on
from filed.process.outcome import JobStatus
from filed.process.system import resident_bytes
from filed.wire.auth import TlsNeed
from filed.wire.director import JobCommand

KEPT = 10  # Jobs that have ended
STATE_FILE = "filed-{name}.state"

log = logging.getLogger("filed")


class ClientProcess(Child):
    """The process of one client, a Director's or a Storage Daemon's. name: the client's address."""

    job: RunningJob | None = None  # known once the Director has said it
    authenticated = False
    begun = False  # has its Job left the queue?
    program = 0  # the process group of a program that its Job runs now
    dismissed = False  # killed, and not gone yet
    storage = Expected(known=True)  # what a Storage Daemon has to know that is to call for its Job

    def running(self) -> RunningJob | None:
        """What it is about, with the counters of now."""
        if self.job is None:
            return None
        counters = self.status_page.counters
        return replace(
            self.job,
            files=counters.files,
            seen=counters.files_seen,
            job_bytes=counters.bytes_written,
            read_bytes=counters.bytes_read,
            errors=counters.errors,
            bandwidth=self.status_page.bandwidth,
            entry=printable(self.status_page.entry),
        )


class CalledDirector(ClientProcess):
    """The process that has called a Director, and waits for it. name: the Director's."""

    authenticated = True


def may_begin(clients: Iterable[ClientProcess], client: ClientProcess, most: int) -> bool:
    """Whether a client's Job is one of the first `most`. clients: the oldest first; Jobs begin in that order."""
    jobs = [each for each in clients if each.job is not None and each.job.job_id]
    begun = sum(each.begun for each in jobs)
    waiting = [each for each in jobs if not each.begun]
    return client.begun or client in waiting[: max(most - begun, 0)]


def one_too_many(clients: Iterable[ClientProcess], most: int) -> ClientProcess | None:
    """Which unauthenticated client has to go before another may come. None when there is room.

    The oldest of the address that has the most: many calls from one place keep no Director out.
    """
    found = [each for each in clients if not each.authenticated and not each.dismissed]
    if len(found) < most:
        return None
    places = Counter(each.name for each in found)
    return max(found, key=lambda each: places[each.name])


class EndedJobs:
    """The last Jobs, the oldest first. path: where they are kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: deque[EndedJob] = deque(_load(path), maxlen=KEPT)

    def add(self, job: EndedJob) -> None:
        """Kept on the disk as far as that goes: a status is not worth a Job."""
        self._jobs.append(job)
        with contextlib.suppress(OSError):
            _store(self._path, [asdict(each) for each in self._jobs])

    def __iter__(self) -> Iterator[EndedJob]:
        return iter(self._jobs)


class Registry:
    """What the clients' processes share, and the answers to what is asked about it. conf, agents: those of now; a reload replaces them."""

    def __init__(self, conf: FileDaemonConf, agents: tuple[str, ...]) -> None:
        self.conf, self.agents = conf, agents
        self.clients: dict[int, ClientProcess] = {}  # by pid, the oldest first
        daemon = conf.file_daemon
        self._ended = EndedJobs(state_path(Path(daemon.working_directory), daemon.name))
        self._tallies = Tallies()
        self._started = time.time()
        self._jobs_run = self._debug = self._trace = self._bandwidth = 0

    def answer(self, asker: Child, question: dict[str, Any], descriptor: int) -> dict[str, Any] | None:
        """None where nothing is asked. descriptor: what came along, -1 for nothing; open until this returns. Raises ValueError."""
        match question["ask"]:
            case "status":
                return self._status().as_dict()
            case "metrics":
                return {"status": self._status().as_dict(), "tallies": self._tallies.rows()}
        if isinstance(asker, ClientProcess):
            return self._answer_client(asker, question, descriptor)
        raise ValueError(question["ask"])

    def _answer_client(self, client: ClientProcess, question: dict[str, Any], descriptor: int) -> dict[str, Any] | None:
        match question["ask"]:
            case "greeted":
                client.authenticated = True
                return None
            case "begin":
                client.begun = may_begin(self.clients.values(), client, self.conf.file_daemon.maximum_concurrent_jobs)
                return {"may": client.begun}
            case "note":
                first = client.job is None
                client.job = RunningJob(**question["job"])
                if first and client.job.job_id:
                    self._jobs_run += 1
                    self._limit(client)
                return None
            case "ended":
                self._add(EndedJob(**question["job"]))
                client.job = None
                return None
            case "runs":
                client.program = question["group"]
                return None
            case "expect storage":
                client.storage = Expected(known=True, key=question["key"], protocol=question["protocol"])
                return None
            case "expected storage":
                return self._expected_storage(question["job"])._asdict()
            case "hand storage":
                tls = None if question["tls"] is None else TlsNeed(question["tls"])
                self._hand_storage(question["job"], descriptor, tls, question["caller"])
                return None
            case "debug":
                self._debug = question["level"] if question["level"] >= 0 else self._debug
                self._trace = question["trace"] if question["trace"] >= 0 else self._trace
                log.setLevel(logging.DEBUG if self._debug else logging.INFO)
                return {"trace": self._trace}
            case "cancel":
                return {"found": self._cancel(question["job"], Ending.STOP if question["stop"] else Ending.CANCEL)}
            case "bandwidth":
                return {"found": self._set_bandwidth(question["job"], question["limit"])}
        raise ValueError(question["ask"])

    def was_killed(self, client: ClientProcess, how: str) -> None:
        """For want of memory, say. It could not tell anybody how its Job ended, and the Director sees a connection lost."""
        why = f"its process {how}"
        log.error("%s: %s", client.name, why)
        job = client.running()
        if job is not None and job.job_id:
            name = JobCommand(job.job_id, job.job).name
            counted = (job.files, job.job_bytes, job.errors + 1, JobStatus.FATAL.value, time.time(), why, job.job)
            self._add(EndedJob(job.job_id, name, job.level, job.type, *counted, job.started))

    def _add(self, job: EndedJob) -> None:
        self._ended.add(job)
        self._tallies.add(job)

    def _status(self) -> DaemonStatus:
        running = [job for client in self.clients.values() if (job := client.running()) is not None]
        return DaemonStatus(
            self.conf.file_daemon.name,
            self._started,
            os.getpid(),
            platform_text(),
            self._jobs_run,
            self.conf.file_daemon.maximum_concurrent_jobs,
            self._debug,
            self._trace,
            self._bandwidth,
            self.agents,
            tuple(running),
            tuple(self._ended),
            resident_bytes(),
        )

    def _of_job(self, job: str) -> list[ClientProcess]:
        return [
            client for client in self.clients.values() if client.job and client.job.job_id and client.job.job == job
        ]

    def _expected_storage(self, job: str) -> Expected:
        found = self._of_job(job)
        return next((client.storage for client in found if client.storage.key), Expected(known=bool(found)))

    def _hand_storage(self, job: str, descriptor: int, tls: TlsNeed | None, caller: str) -> None:
        """Where the Job is gone by now, or was called by another one, the Storage Daemon sees its connection closed.

        One that has not proved anything yet does not end the wait for the true one.
        """
        found = [client for client in self._of_job(job) if client.storage.key]
        if not found:
            log.warning("the Storage Daemon at %s called for Job %s, which no longer waits for it", caller, job)
            return
        if tls is not None:
            found[0].storage = Expected(known=True)
        try:
            hand_on(found[0].calls, descriptor, tls, caller)
        except OSError as error:
            log.warning("the Storage Daemon at %s cannot be handed to Job %s: %s", caller, job, error.strerror)

    def _cancel(self, job: str, ending: Ending) -> bool:
        found = self._of_job(job)
        for client in found:
            client.ring(ending)
        return bool(found)

    def _set_bandwidth(self, job: str, limit: int) -> bool:
        """Of one Job; with "" of all, those that run among them."""
        if not job:
            self._bandwidth = limit
        found = [
            client
            for client in self.clients.values()
            if client.job and client.job.job_id and job in ("", client.job.job)
        ]
        for client in found:
            client.status_page.bandwidth = limit
        return bool(found) or not job

    def _limit(self, client: ClientProcess) -> None:
        """The least of the limits that hold for a Job that begins."""
        assert client.job is not None
        directors = [each for each in self.conf.directors if each.name == client.job.director]
        limits = [self._bandwidth, self.conf.file_daemon.maximum_bandwidth_per_job]
        limits += [each.maximum_bandwidth_per_job for each in directors]
        client.status_page.bandwidth = min((limit for limit in limits if limit), default=0)


def state_path(work: Path, name: str) -> Path:
    return work / STATE_FILE.format(name=name.replace("/", "_"))


def _load(path: Path) -> list[EndedJob]:
    """Nothing when there is no such file, or it holds something else."""
    try:
        return [EndedJob(**job) for job in json.loads(path.read_bytes())]
    except (OSError, ValueError, TypeError):
        return []


def _store(path: Path, jobs: list[dict[str, Any]]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".filed-state-", delete=False) as file:
        written = Path(file.name)
        try:
            json.dump(jobs, file)
            file.flush()
            written.replace(path)
        except OSError:
            written.unlink()
            raise
