"""What is chosen of a page, and what of it is compressed ahead: of whole Jobs, since a page belongs to a running agent."""

from __future__ import annotations

import os
from pathlib import Path

from filed.fileset import Compression, CompressionKind, Options
from filed.process.outcome import JobStatus
from tests.job.encode.test_page_encoder import records
from tests.system_agents.jobs import Place, line


def test_small_contents_compressed_ahead_stand_with_their_own_entries(jobs: Place, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(300):  # more than one batch, of which the last lags behind
        (tree / f"{number:03}").write_bytes(b"%03d" % number * (number % 7 * 100))
    (tree / "link").hardlink_to(tree / "001")
    options = Options(compression=Compression(CompressionKind.GZIP, 1))
    ran = jobs.backup(line("filesystem"), files=[os.fsencode(tree)], options=options)
    assert ran.outcome.status is JobStatus.OK, ran.messages
    streams = {(index, stream) for index, stream, _ in records(jobs, ran)}
    assert len({index for index, stream in streams if stream == 4}) > 200
    where = tmp_path / "to"
    restored = jobs.restore(ran.outcome.jobid, where)
    assert restored.outcome.status is JobStatus.OK, restored.messages
    found = where / tree.relative_to("/")
    assert {path.name: path.read_bytes() for path in found.iterdir()} == {
        path.name: path.read_bytes() for path in tree.iterdir()
    }
