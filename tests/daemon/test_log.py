from __future__ import annotations

import io
import json
import logging
import socket
from collections.abc import Iterator
from datetime import datetime

import pytest
import structlog

from filed.daemon.api import Daemon
from filed.daemon.log import LogFormat, bind, configure
from filed.director.status import RunningJob
from filed.process.status_page import StatusPage

log = logging.getLogger("filed")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()


def test_a_line_of_text_has_the_time_the_level_and_what_is_bound() -> None:
    stream = io.StringIO()
    configure(LogFormat.TEXT, stream, debug=False)
    bind(job_id=7, job="Save.1")
    log.warning("%s went wrong", "it", extra={"files": 3})
    (line,) = stream.getvalue().splitlines()
    assert "[warning] it went wrong" in line
    assert {"job_id=7", "job=Save.1", "files=3"} <= set(line.split())
    assert line[:2] == "20"


def test_json_is_one_object_a_line_and_an_exception_one_field_without_values_of_variables() -> None:
    stream = io.StringIO()
    configure(LogFormat.JSON, stream, debug=False)
    bind(job_id=7)
    password = "hush"
    try:
        int(f"x{len(password)}")
    except ValueError:
        log.exception("a bug\nof two lines")
    said = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert (said["event"], said["level"], said["job_id"]) == ("a bug\nof two lines", "error", 7)
    assert "ValueError: invalid literal" in said["exception"]
    assert password not in stream.getvalue()


def test_the_level_of_a_line_is_the_logs_and_a_jobs_has_a_name_of_its_own() -> None:
    stream = io.StringIO()
    configure(LogFormat.JSON, stream, debug=False)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        job = RunningJob(7, "Save.1", "a-dir", 0.0, "F", "B")
        Daemon(theirs, -1, theirs, StatusPage()).note(job)
    log.warning("careless", extra={"level": "F"})
    begins, careless = map(json.loads, stream.getvalue().splitlines())
    assert {key: begins[key] for key in ("level", "job_level", "job_type", "job_id", "job", "director")} == {
        "level": "info", "job_level": "F", "job_type": "B", "job_id": 7, "job": "Save.1", "director": "a-dir",
    }  # fmt: skip
    assert careless["level"] == "warning"


def test_the_time_has_its_offset_from_utc() -> None:
    stream = io.StringIO()
    configure(LogFormat.JSON, stream, debug=False)
    log.info("now")
    stamp = datetime.fromisoformat(json.loads(stream.getvalue())["timestamp"])
    assert stamp.utcoffset() is not None


def test_debug_is_shown_when_asked_for() -> None:
    stream = io.StringIO()
    configure(LogFormat.TEXT, stream, debug=False)
    log.debug("unseen")
    configure(LogFormat.TEXT, stream, debug=True)
    log.debug("seen")
    assert "unseen" not in stream.getvalue()
    assert "seen" in stream.getvalue()
