from __future__ import annotations

import json
from dataclasses import replace

from filed import __version__
from filed.director.dot_status import dot_status_text, job_lines
from filed.director.metrics import metrics_text
from filed.director.status import (
    DaemonStatus,
    EndedJob,
    RunningJob,
    short_size,
    status_text,
)
from filed.wire.version import V9_6_7, V15_0_3

RUNNING = RunningJob(
    21, "Bslow.2026-11-23_10.18.19_49", "a-dir", 1000, "F", "B", 1, 3, 131_072, 196_608, 0, 100_000, "/a"
)
ENDED = EndedJob(10, "Brs", "F", "B", 22, 1_548_600, 0, "T", 2000, job="Brs.2026-11-23_10.14.28_03", started=1990)
STATUS = DaemonStatus("a-fd", 500, 7, "host,debian,12", 19, 20, 0, 0, 0, ("filesystem 1.0",), (RUNNING,), (ENDED,))


def test_a_status_survives_its_way_as_json() -> None:
    assert DaemonStatus.from_dict(json.loads(json.dumps(STATUS.as_dict()))) == STATUS


def test_a_console_sees_what_runs_and_what_ran() -> None:
    text = "".join(status_text(STATUS, V9_6_7, 1002))
    assert "a-fd Version: 9.6.7 (10 December 2020)  host debian 12\n" in text
    assert "Jobs: run=19 running=1.\n" in text
    assert "JobId 21 Job Bslow.2026-11-23_10.18.19_49 is running.\n    Full Backup Job started:" in text
    assert "Files=1 Bytes=131,072 AveBytes/sec=65,536" in text
    assert "Processing file: /a\n" in text
    assert "    10  Full          22    1.548 M  OK" in text
    assert text.endswith(" Brs\n====\n")


def test_without_jobs_it_says_so_and_who_asks() -> None:
    asking = RunningJob(0, "-Console-", "a-dir", 1000)
    text = "".join(status_text(replace(STATUS, running=(asking,), ended=()), V9_6_7, 1002))
    assert "No Jobs running.\nDirector connected at:" in text
    encrypted = replace(asking, cipher="TLSv1.3 TLS_AES_128_GCM_SHA256")
    text = "".join(status_text(replace(STATUS, running=(encrypted,), ended=()), V9_6_7, 1002))
    assert "No Jobs running.\nDirector connected using TLS at:" in text


def test_an_administrator_sees_which_program_answers() -> None:
    text = "".join(status_text(STATUS, V15_0_3, 1002))
    assert "a-fd Version: 15.0.3 (25 March 2025)" in text
    assert f"\n filed {__version__} in the place of bacula-fd. Crypto: OpenSSL" in text


def test_programs_read_keys_and_values() -> None:
    header = "".join(dot_status_text(STATUS, V9_6_7, "header", 1002))
    assert header.startswith("header:\nname=a-fd\nversion=9.6.7 (10 December 2020)\n")
    running = "".join(dot_status_text(STATUS, V9_6_7, "running", 1002))
    assert "JobId=21\nJob=Bslow" in running
    terminated = "".join(dot_status_text(STATUS, V9_6_7, "terminated", 1002))
    assert terminated.startswith("    10\tFull  \t      22\t   1.548 M\tOK     \t")
    assert not list(dot_status_text(STATUS, V9_6_7, "statistics", 1002))


def test_programs_of_15_are_answered_in_frames() -> None:
    end = "\nerror=0\nerrmsg=\n\n"
    visit = RunningJob(0, "-Console-", "a-dir", 1000, cipher="TLS")
    status = replace(STATUS, running=(visit, RUNNING), ended=(ENDED, ENDED))

    def text(what: str, api: int = 2) -> str:
        return "".join(dot_status_text(status, V15_0_3, what, 1002, api=api))

    for what, name in (("header", "header"), ("running", "running"), ("resources", "resource")):
        assert text(what).startswith(f"\n{name}:\n\n")
        assert text(what).endswith("\n" + end)
    assert "plugins=filesystem\n" in text("header")
    job, director = text("running").removesuffix(end).removeprefix("\nrunning:\n\n").split("\n\n\n")
    assert job.startswith("JobId=21\n")
    assert "\nReadBytes/sec=98304\n" in job
    assert director.startswith("DirectorConnected_epoch=1000\n")
    assert director.endswith("\nDirTLS=1\n")
    first, second = text("terminated").removesuffix(end).removeprefix("\nterminated:\n\n").split("\n\n\n")
    assert first + "\n" == second
    assert "\njob=Brs.2026-11-23_10.14.28_03\nname=Brs\nstarttime_epoch=1990\n" in first
    assert text("terminated", 1).startswith("    10\tFull  \t")
    assert text("statistics", 1).startswith("Update Statistics: stopped interval=0 secs")
    assert text("statistics").startswith("\ncollector:\n")


def test_numbers_have_names() -> None:
    lines = "".join(metrics_text(STATUS, json_form=False))
    assert "bacula.client.a-fd.jobs.run=19\nbacula.client.a-fd.jobs.running=1\n" in lines
    rows = json.loads("".join(metrics_text(STATUS, json_form=True)))
    assert {row["name"] for row in rows} == {line.partition("=")[0] for line in lines.splitlines()}


def test_a_line_for_each_job_that_is_asked_about() -> None:
    assert list(job_lines([(21, "R", 0)])) == ["JobId=21 JobStatus=R JobErrors=0\n"]


def test_sizes_have_three_places() -> None:
    assert [short_size(n) for n in (0, 999, 1000, 5 * 10**9)] == ["0", "999", "1.000 K", "5.000 G"]
