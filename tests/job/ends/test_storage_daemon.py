from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from filed.process.outcome import JobStatus
from tests.job.network import backup_of, restore_to, run, storage_at
from tests.live.bacula import free_port


def test_a_storage_daemon_that_is_not_there_is_named(tmp_path: Path) -> None:
    port = free_port()
    done = run(restore_to(tmp_path, tmp_path, port))
    assert done.outcome.status is JobStatus.FATAL
    assert f"127.0.0.1:{port}" in done.outcome.text


def test_a_cancel_ends_the_wait_for_it(tmp_path: Path) -> None:
    job = backup_of(tmp_path, tmp_path, free_port())
    job = replace(job, storage=replace(job.storage, connect_timeout_s=600.0))
    begun = time.monotonic()
    assert run(job, wanted=False).outcome.status is JobStatus.CANCELED
    assert time.monotonic() - begun < 60


def test_the_key_is_not_shown() -> None:
    assert "KEY" not in repr(storage_at(1))
