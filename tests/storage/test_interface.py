from __future__ import annotations

from pathlib import Path

from filed.storage import AppendSession, JobTotals, ReadSession, Repository
from filed.volume import Session, VolumeReader
from tests.storage.jobs import NOW, job, opened


def test_a_directory_of_volumes_is_all_that_a_job_wants_of_a_repository(tmp_path: Path) -> None:
    repository: Repository = opened(tmp_path)
    target: AppendSession = repository.append_session(job())
    assert target.session == Session(1, int(NOW))
    target.write(1, 2, b"content")
    media = target.finish(JobTotals(1, 7))
    source: ReadSession = repository.read(media, target.session)
    assert [(one.file_index, one.stream, bytes(one.data)) for one in source.records()] == [(1, 2, b"content")]
    source.finish()
    (name,) = repository.volumes()
    with VolumeReader(repository.volume(name)) as reader:
        assert reader.label().name == name
    (found,) = repository.scan()
    assert found.is_complete
    assert list(found.media) == media
    repository.remove_volume(name)
    assert repository.volumes() == []


def test_an_abandoned_session_leaves_nothing(tmp_path: Path) -> None:
    repository: Repository = opened(tmp_path)
    target = repository.append_session(job())
    target.write(1, 2, b"content")
    target.abandon()
    assert repository.volumes() == []
