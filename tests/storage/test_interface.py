from __future__ import annotations

from pathlib import Path

from filed.storage import AppendSession
from filed.volume import Session
from tests.storage.jobs import NOW, job, opened


def test_a_session_on_volumes_is_an_append_session(tmp_path: Path) -> None:
    target: AppendSession = opened(tmp_path).append_session(job())
    assert target.session == Session(1, int(NOW))
    target.abandon()
