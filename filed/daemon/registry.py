"""Who is here: the visits of Directors, their Jobs, and the Jobs that have ended. Kept by the daemon alone.

The last Jobs are kept in a file, so that a status shows them after a restart.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from filed.config import FileDaemonConf
from filed.daemon.api import Expected
from filed.daemon.client_process import platform_text
from filed.daemon.metrics import Tallies
from filed.director.daemon_api import Ending
from filed.director.status import DaemonStatus, EndedJob, RunningJob
from filed.errors import printable
from filed.process.handed_socket import hand_on
from filed.process.outcome import JobStatus
from filed.process.status_page import StatusPage
from filed.wire.auth import TlsNeed
from filed.wire.director import JobCommand

KEPT = 10  # Jobs that have ended
STATE_FILE = "filed-{name}.state"

log = logging.getLogger("filed")


class Visit:
    """One visit's process, seen from the daemon."""

    def __init__(  # noqa: PLR0917  the ends of what it shares with us
        self,
        pid: int,
        channel: socket.socket,
        cancel_pipe: int,
        calls: socket.socket,
        status_page: StatusPage,
        caller: str,
    ) -> None:
        self.pid, self.channel, self.cancel_pipe, self.calls, self.status_page = (
            pid,
            channel,
            cancel_pipe,
            calls,
            status_page,
        )
        self.caller = caller
        self.job: RunningJob | None = None  # known once the Director has said it
        self.trusted = False  # has it proved who it is?
        self.begun = False  # has its Job left the queue?
        self.program = 0  # the process group of a program that its Job runs now
        self.dismissed = False  # killed, and not gone yet
        self.storage = Expected(known=True)  # what a Storage Daemon has to know that is to call for its Job

    def ring(self, ending: Ending) -> None:
        """Ask it to end. More than once does no harm."""
        with contextlib.suppress(OSError):
            os.write(self.cancel_pipe, ending.value.encode())

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

    def close(self) -> None:
        self.channel.close()
        self.calls.close()
        os.close(self.cancel_pipe)


def may_begin(visits: Iterable[Visit], visit: Visit, most: int) -> bool:
    """Whether a visit's Job is one of the first `most`. visits: the oldest first; Jobs begin in that order."""
    jobs = [each for each in visits if each.job is not None and each.job.job_id]
    begun = sum(each.begun for each in jobs)
    waiting = [each for each in jobs if not each.begun]
    return visit.begun or visit in waiting[: max(most - begun, 0)]


def tiresome(visits: Iterable[Visit], most: int) -> Visit | None:
    """Who has to go before another stranger may come: the oldest of the caller that has the most. None when there is room.

    So that whoever calls often and says nothing stands in his own way, and in no Director's.
    """
    strangers = [each for each in visits if not each.trusted and not each.dismissed]
    if len(strangers) < most:
        return None
    callers = Counter(each.caller for each in strangers)
    return max(strangers, key=lambda each: callers[each.caller])


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
    """What the visits share, and the answers to what they ask about it. conf, agents: those of now; a reload replaces them."""

    def __init__(self, conf: FileDaemonConf, agents: tuple[str, ...]) -> None:
        self.conf, self.agents = conf, agents
        self.visits: dict[int, Visit] = {}  # by pid, the oldest first
        daemon = conf.file_daemon
        self._ended = EndedJobs(state_path(Path(daemon.working_directory), daemon.name))
        self._tallies = Tallies()
        self._started = time.time()
        self._jobs_run = self._debug = self._trace = self._bandwidth = 0

    def answer(self, visit: Visit, question: dict[str, Any], descriptor: int) -> dict[str, Any] | None:
        """None where nothing is asked. descriptor: what came along, -1 for nothing; open until this returns."""
        match question["ask"]:
            case "greeted":
                visit.trusted = True
                return None
            case "begin":
                visit.begun = may_begin(self.visits.values(), visit, self.conf.file_daemon.maximum_concurrent_jobs)
                return {"may": visit.begun}
            case "note":
                first = visit.job is None
                visit.job = RunningJob(**question["job"])
                if first and visit.job.job_id:
                    self._jobs_run += 1
                    self._limit(visit)
                return None
            case "ended":
                self._add(EndedJob(**question["job"]))
                visit.job = None
                return None
            case "runs":
                visit.program = question["group"]
                return None
            case "expect storage":
                visit.storage = Expected(known=True, key=question["key"], protocol=question["protocol"])
                return None
            case "expected storage":
                return self._expected_storage(question["job"])._asdict()
            case "hand storage":
                tls = None if question["tls"] is None else TlsNeed(question["tls"])
                self._hand_storage(question["job"], descriptor, tls, question["caller"])
                return None
            case "debug":
                self._debug, self._trace = question["level"], question["trace"]
                log.setLevel(logging.DEBUG if self._debug else logging.INFO)
                return None
            case "status":
                return self._status().as_dict()
            case "metrics":
                return {"status": self._status().as_dict(), "tallies": self._tallies.rows()}
            case "cancel":
                return {"found": self._cancel(question["job"], Ending.STOP if question["stop"] else Ending.CANCEL)}
            case "bandwidth":
                return {"found": self._set_bandwidth(question["job"], question["limit"])}
        raise ValueError(question["ask"])

    def was_killed(self, visit: Visit, how: str) -> None:
        """For want of memory, say. It could not tell anybody how its Job ended, and the Director sees a connection lost."""
        why = f"its process {how}"
        log.error("%s: %s", visit.caller, why)
        job = visit.running()
        if job is not None and job.job_id:
            name = JobCommand(job.job_id, job.job).name
            counted = (job.files, job.job_bytes, job.errors + 1, JobStatus.FATAL.value, time.time(), why)
            self._add(EndedJob(job.job_id, name, job.level, job.type, *counted))

    def _add(self, job: EndedJob) -> None:
        self._ended.add(job)
        self._tallies.add(job)

    def _status(self) -> DaemonStatus:
        running = [job for visit in self.visits.values() if (job := visit.running()) is not None]
        return DaemonStatus(
            self.conf.file_daemon.name,
            self._started,
            os.getpid(),
            platform_text(),
            self._jobs_run,
            self._debug,
            self._trace,
            self._bandwidth,
            self.agents,
            tuple(running),
            tuple(self._ended),
        )

    def _of_job(self, job: str) -> list[Visit]:
        return [visit for visit in self.visits.values() if visit.job and visit.job.job_id and visit.job.job == job]

    def _expected_storage(self, job: str) -> Expected:
        found = self._of_job(job)
        return next((visit.storage for visit in found if visit.storage.key), Expected(known=bool(found)))

    def _hand_storage(self, job: str, descriptor: int, tls: TlsNeed | None, caller: str) -> None:
        """Where the Job is gone by now, or was called by another one, the Storage Daemon sees its connection closed.

        One that has not proved anything yet does not end the wait for the true one.
        """
        found = [visit for visit in self._of_job(job) if visit.storage.key]
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
        for visit in found:
            visit.ring(ending)
        return bool(found)

    def _set_bandwidth(self, job: str, limit: int) -> bool:
        """Of one Job; with "" of all, those that run among them."""
        if not job:
            self._bandwidth = limit
        found = [
            visit for visit in self.visits.values() if visit.job and visit.job.job_id and job in ("", visit.job.job)
        ]
        for visit in found:
            visit.status_page.bandwidth = limit
        return bool(found) or not job

    def _limit(self, visit: Visit) -> None:
        """The least of the limits that hold for a Job that begins."""
        assert visit.job is not None
        directors = [each for each in self.conf.directors if each.name == visit.job.director]
        limits = [self._bandwidth, self.conf.file_daemon.maximum_bandwidth_per_job]
        limits += [each.maximum_bandwidth_per_job for each in directors]
        visit.status_page.bandwidth = min((limit for limit in limits if limit), default=0)


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
