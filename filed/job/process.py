"""The inside of a job process: from the fork to the last line on the channel.

One Python thread drives agents, pipeline and storage. A second one sleeps on the doorbell and wakes only to cancel.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import threading
import traceback
from typing import NoReturn

from filed.agents.pulse import Pulse
from filed.errors import FiledError, JobCanceled
from filed.job import backup, restore, verify
from filed.job.channel import Sender
from filed.job.description import BackupJob, JobDescription, RestoreJob
from filed.job.outcome import JobStatus, Outcome
from filed.job.workplace import Workplace

SWITCH_INTERVAL_S = 0.0005  # a worker between two calls of C code waits no longer for the job thread
GC_THRESHOLD = 50_000  # pages make and drop thousands of tuples; nothing here forms cycles


def serve(description: JobDescription, sock: socket.socket, pulse: Pulse, bell: int) -> NoReturn:
    """Do one Job and leave. Reports first, then ends without running anybody's exit handlers.

    Agents' exit handlers have crashed many hosts and must not turn a good Job bad.
    """
    os.setpgid(0, 0)  # a Ctrl-C on the terminal is the parent's to answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.set_threshold(GC_THRESHOLD)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    place = Workplace(Sender(sock), pulse, bell)
    threading.Thread(target=_watch_doorbell, args=(place,), name="doorbell", daemon=True).start()
    try:
        outcome = _work(description, place)
        place.close()
        place.sender.send(outcome.event())
    except BaseException:  # noqa: BLE001  the top of the process: the parent gets whatever it was
        os.write(2, traceback.format_exc().encode())
        os._exit(70)
    os._exit(0)


def _work(description: JobDescription, place: Workplace) -> Outcome:
    try:
        if isinstance(description, BackupJob):
            return backup.backup(description, place)
        if isinstance(description, RestoreJob):
            return restore.restore(description, place)
        return verify.verify(description, place)
    except JobCanceled as canceled:
        return place.ended(JobStatus.CANCELED, str(canceled))
    except FiledError as error:
        return place.ended(JobStatus.FATAL, str(error))
    except Exception as error:  # noqa: BLE001  our own bug must still end the Job with its reason
        place.debug(traceback.format_exc())
        return place.ended(JobStatus.FATAL, f"internal error: {type(error).__name__}: {error}")


def _watch_doorbell(place: Workplace) -> None:
    """A byte, or the end of the pipe (our parent is gone), cancels the Job."""
    select.select([place.bell], [], [])  # the byte stays: each wait of the job thread sees it, too
    place.cancel()
