from __future__ import annotations

import os
import signal
import socket
import urllib.request
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from filed.daemon.metrics import MAX_KINDS, Collector, Tallies
from filed.director.status import DaemonStatus, EndedJob, RunningJob
from filed.wire.frame import Signal
from tests.daemon.calling import Daemon
from tests.live.bacula import free_port
from tests.system.program import wait_until


def ended(level: str = "F", status: str = "T") -> EndedJob:
    return EndedJob(1, "Save", level, "B", 10, 2000, 1, status, 1000.5)


def shown(status: DaemonStatus, tallies: Tallies) -> list[str]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector(lambda: (status, tallies.rows())))  # type: ignore[arg-type]
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_running_jobs_are_gauges_and_ended_ones_counters() -> None:
    tallies = Tallies()
    for level, status in (("F", "T"), ("F", "T"), ("I", "f")):
        tallies.add(ended(level, status))
    running = RunningJob(7, "Save.1", "dir", 0.0, "I", "B", files=5, job_bytes=600)
    status = DaemonStatus(
        "a-fd", 17.0, 1, "p", agents=("filesystem 1.0",), running=(running, RunningJob(0, "", "dir", 0.0))
    )
    assert set(shown(status, tallies)) >= {
        "filed_start_time_seconds 17.0",
        'filed_agent_info{agent="filesystem 1.0"} 1.0',
        'filed_jobs_running{level="I",type="B"} 1.0',
        "filed_running_files 5.0",
        "filed_running_bytes 600.0",
        'filed_ended_jobs_total{level="F",status="T",type="B"} 2.0',
        'filed_ended_bytes_total{level="F",status="T",type="B"} 4000.0',
        'filed_ended_errors_total{level="I",status="f",type="B"} 1.0',
    }


def test_a_director_that_makes_up_levels_does_not_fill_memory() -> None:
    tallies = Tallies()
    for number in range(MAX_KINDS + 10):
        tallies.add(ended(str(number)))
    assert len(tallies.rows()) == MAX_KINDS


def test_prometheus_asks_the_daemon_and_a_stalled_one_stops_nobody(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    port = free_port()
    text = daemon.conf.read_text().replace("FileDaemon {", f"FileDaemon {{ Metrics Port = {port};")
    daemon.conf.write_text(text)
    url = f"http://127.0.0.1:{port}/metrics"
    with daemon:
        with daemon.call() as job:
            job.name(7)
            job.say(b"RunBeforeJob /bin/false\n")
            job.rest()
        with socket.create_connection(("127.0.0.1", port), 60), urllib.request.urlopen(url, timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        assert 'filed_ended_jobs_total{level="F",status="E",type=""} 1.0' in lines
        with daemon.call() as talk:
            talk.name()
            talk.say(b".status last api=1 api_opts=")
            talk.until(Signal.EOD)
    assert daemon.process.returncode == 0


def test_metrics_that_died_are_there_again(tmp_path: Path) -> None:
    port = free_port()
    with Daemon(tmp_path, file_daemon=f"Metrics Port = {port}") as daemon:
        for time in (1, 2):
            wait_until(daemon.visits)
            (metrics,) = daemon.visits()
            os.kill(metrics, signal.SIGKILL)
            wait_until(lambda gone=metrics: daemon.visits() not in ([], [gone]))
            assert f"metrics was killed by SIGKILL; it begins again in {time} s" in daemon.log()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                assert b"filed_start_time_seconds" in answer.read()
    assert daemon.process.returncode == 0


def test_without_a_port_nobody_listens(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        assert daemon.visits() == []
