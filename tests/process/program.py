"""What children do in tests: the first word of the request says it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading

from filed.process.child import Parent
from filed.process.outcome import JobStatus, Outcome, Totals


def perform(request: bytes, parent: Parent) -> Outcome:
    word, _, rest = request.partition(b" ")
    match word:
        case b"repeat":
            parent.sender.send({"event": "message", "severity": "info", "text": rest.hex()})
        case b"wait":
            canceled = threading.Event()
            parent.on_cancel(canceled.set)
            canceled.wait()
            return Outcome(JobStatus.CANCELED, Totals())
        case b"start":
            program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            parent.sender.send({"event": "message", "severity": "info", "text": str(program.pid)})
            program.wait()
        case b"crash":
            libc = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
            libc.printf(b"last words of C")
            ctypes.string_at(1)
        case b"exit":
            os._exit(int(rest))
        case _:
            raise LookupError("nothing here")
    return Outcome(JobStatus.OK, Totals())
