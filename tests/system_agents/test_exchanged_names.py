"""Whole Jobs over a directory whose owner exchanges its names for ever: nobody's content is stored under another's permissions."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from filed.cli.agents import shipped_agents
from filed.process.outcome import JobStatus
from filed.wire.attributes import decode_stat, parse_attributes
from filed.wire.stream import Stream
from tests.exchange_names import PAIRS, PRIVATE, PUBLIC, SIZE, being_exchanged, make_pairs
from tests.job.network import backup_of, run
from tests.job.storage import Storage
from tests.system_agents.jobs import Place, line

FILES = line("filesystem")
BACKUPS = 3


def content_of(mode: int) -> bytes:
    return (PUBLIC if mode & 0o044 else PRIVATE) * (SIZE // 6)


def test_into_a_directory_of_volumes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    make_pairs(source)
    place = Place(tmp_path / "volumes", (shipped_agents(),))
    for number in range(BACKUPS):
        with being_exchanged(source):
            ran = place.backup(FILES, files=[bytes(source)])
        where = tmp_path / str(number)
        assert place.verify(ran.outcome.jobid).outcome.status is JobStatus.OK
        assert place.restore(ran.outcome.jobid, where, FILES).outcome.status is JobStatus.OK
        found = [path for path in where.rglob("*") if path.is_file()]
        assert len(found) > PAIRS
        assert all(path.read_bytes() == content_of(path.stat().st_mode) for path in found)


def test_for_a_director(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    make_pairs(source)
    for _ in range(BACKUPS):
        with Storage() as storage, being_exchanged(source):
            run(backup_of(source, tmp_path, storage.port))
        modes: dict[int, int] = {}
        contents: dict[int, bytes] = defaultdict(bytes)
        for file_index, stream, data in storage.records:
            if stream == Stream.UNIX_ATTRIBUTES:
                modes[file_index] = decode_stat(parse_attributes(data).lstat).mode
            elif stream == Stream.FILE_DATA:
                contents[file_index] += data
        assert len(contents) > PAIRS
        assert all(content == content_of(modes[file_index]) for file_index, content in contents.items())
