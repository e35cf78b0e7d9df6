"""Whole Jobs with `Plugin = "bpipe:..."`, through the supervisor, into a directory of Volumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.catalog import Catalog, Level
from filed.cli.agents import shipped_agents
from filed.job.rebuild import rebuild_catalog
from filed.process.outcome import JobStatus, Severity
from tests.native_agents.pipe.driving import wait_until_gone
from tests.system.test_real_volumes import place as place_vector
from tests.system_agents.jobs import Place, line

ANY = line("pipe", allow="**")
FILES = line("filesystem")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "volumes", (shipped_agents(),))


def test_a_dump_goes_to_the_volume_and_back_to_its_writer(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plugin = f"bpipe:/dump/a:seq 1 100000; echo to stderr >&2:cat > {out}; echo loaded"
    ran = place.backup(ANY, plugins=[plugin])
    assert ran.outcome.status is JobStatus.OK
    assert "pipe: /dump/a: to stderr" in ran.texts(Severity.INFO)
    assert list(place.tree(ran.outcome.jobid)) == [b"/dump/a"]
    assert place.verify(ran.outcome.jobid).outcome.status is JobStatus.OK
    back = place.restore(ran.outcome.jobid, tmp_path / "where", ANY)
    assert back.outcome.status is JobStatus.OK
    assert out.read_bytes() == b"".join(b"%d\n" % n for n in range(1, 100_001))
    assert "pipe: /dump/a: loaded" in back.texts(Severity.INFO)


def test_by_the_conf_a_dump_comes_back_as_a_file_below_where(place: Place, tmp_path: Path) -> None:
    for name in ("/dump/a", "relative/b"):
        ran = place.backup(ANY, plugins=[f"bpipe:{name}:echo data:false"])
        back = place.restore(ran.outcome.jobid, tmp_path / "r", line("pipe", restore="file"))
        assert back.outcome.status is JobStatus.OK, back.messages
        assert (tmp_path / "r" / name.lstrip("/")).read_bytes() == b"data\n"


def test_a_failing_pipe_fails_an_otherwise_good_job_and_the_older_dump_stays_the_base(
    place: Place, tmp_path: Path
) -> None:
    tree, dump, out = tmp_path / "tree", tmp_path / "dump", tmp_path / "out"
    tree.mkdir()
    (tree / "file").write_text("one")
    dump.write_text("dump one\n")
    job = {"files": [bytes(tree)], "plugins": [f"bpipe:/dump/a:cat {dump}:cat > {out}"]}
    full = place.backup(FILES, ANY, **job)
    assert full.outcome.status is JobStatus.OK
    dump.unlink()
    (tree / "file").write_text("two")
    failed = place.backup(FILES, ANY, level=Level.INCREMENTAL, **job)
    assert failed.outcome.status is JobStatus.FATAL
    assert "/dump/a: its command ended with exit code 1; the last it said: cat: " in failed.outcome.text
    assert any(text.startswith("pipe: /dump/a: cat: ") for text in failed.texts(Severity.INFO))
    dump.write_text("dump three\n")
    third = place.backup(FILES, ANY, level=Level.INCREMENTAL, **job)
    assert third.outcome.status is JobStatus.OK
    assert third.job is not None
    assert third.job.base_job_id == full.outcome.jobid
    for jobid, said in ((full.outcome.jobid, "dump one\n"), (third.outcome.jobid, "dump three\n")):
        assert place.restore(jobid, tmp_path / "r", FILES, ANY).outcome.status is JobStatus.OK
        assert out.read_text() == said
    assert (tmp_path / "r" / str(tree).lstrip("/") / "file").read_text() == "two"


def test_a_writer_that_fails_ends_the_restore_in_error_and_the_rest_is_restored(place: Place, tmp_path: Path) -> None:
    plugins = [f"bpipe:/dump/{n}:echo {n}:cat > {tmp_path}/{n}; exit {code}" for n, code in (("a", 7), ("b", 0))]
    ran = place.backup(ANY, plugins=plugins)
    back = place.restore(ran.outcome.jobid, tmp_path / "where", ANY)
    assert back.outcome.status is JobStatus.ERROR
    assert any("/dump/a: its command ended with exit code 7" in text for text in back.texts(Severity.ERROR))
    assert (tmp_path / "b").read_text() == "b\n"


def test_a_cancel_ends_the_command_with_the_job(place: Place, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    plugin = f"bpipe:/dump/a:echo $$ > {mark}; sleep 1000 & wait:cat"
    ran = place.backup(ANY, plugins=[plugin], stop=mark.exists)
    assert ran.outcome.status is JobStatus.CANCELED
    assert "killed" not in ran.outcome.text
    wait_until_gone(int(mark.read_text()))


@pytest.mark.parametrize(
    "command",
    ["echo $$ > {}; kill -9 $PPID; exec sleep 1000", "sleep 1000 & echo $! > {}; kill -9 $PPID; wait"],
    ids=["itself", "what it had started"],
)
def test_a_job_process_that_is_killed_takes_its_command_along(place: Place, tmp_path: Path, command: str) -> None:
    mark = tmp_path / "pid"
    ran = place.backup(ANY, plugins=[f"bpipe:/dump/a:{command.format(mark)}:cat"])
    assert ran.outcome.status is JobStatus.FATAL
    wait_until_gone(int(mark.read_text()))


def test_what_the_conf_does_not_allow_is_told_before_anything_is_saved(place: Place, tmp_path: Path) -> None:
    plugin = f"bpipe:/dump/a:touch {tmp_path}/ran:cat"
    ran = place.backup(line("pipe", allow=["pg_dump *", "mysqldump -- *"]), plugins=[plugin])
    assert ran.outcome.status is JobStatus.FATAL
    assert "its reader is not among the commands that this machine's conf allows" in ran.outcome.text
    assert not (tmp_path / "ran").exists()


def test_a_volume_that_bacula_fd_wrote_comes_back(place: Place, tmp_path: Path) -> None:
    """tests/vectors/volumes-9.6.7/bpipe: its own command text is on it."""
    place_vector("bpipe", place.volumes)
    rebuild_catalog(place.volumes, lambda _problem: None)
    with Catalog.read(place.volumes) as catalog:
        (job,) = catalog.jobs()
    back = place.restore(job.job_id, tmp_path / "r", line("pipe", restore="file"))
    assert back.outcome.status is JobStatus.OK, back.messages
    (found,) = [path for path in (tmp_path / "r").rglob("*") if path.is_file()]
    assert found.read_bytes().startswith(b"hello from bpipe\n1\n2\n")
