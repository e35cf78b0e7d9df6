"""What is chosen of what agents list: by FileSet, by what the base has, by hard links; and what is taken for deleted."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from filed.catalog import Level
from filed.fileset import Include, Options, Signature
from filed.job.description import Changes, EstimateJob
from filed.job.process import start_job
from filed.process.channel import Event
from filed.process.outcome import JobStatus
from filed.wire.attributes import FileType, parse_attributes
from tests.job.encode.test_page_encoder import INCREMENTAL, MD5, records, save
from tests.job.network import backup_of, run
from tests.job.storage import Storage
from tests.system_agents.jobs import Place, Ran, line

LONG_AHEAD = 5_000_000_000


def names(jobs: Place, ran: Ran) -> set[bytes]:
    """The last part of every name that was sent, deletions too."""
    sent = (parse_attributes(data).path for _, stream, data in records(jobs, ran) if stream == 1)
    return {path.rpartition(b"/")[2] for path in sent}


def test_a_new_name_of_an_unchanged_inode_brings_all_its_names(jobs: Place, tmp_path: Path) -> None:
    """A link never leads into an older Job."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a").write_text("content")
    os.link(root / "a", root / "b")
    save(jobs, root)
    os.link(root / "a", root / "c")
    assert names(jobs, save(jobs, root, INCREMENTAL)) == {b"", b"a", b"b", b"c"}


def test_unchanged_files_are_not_read_again(jobs: Place, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a").write_bytes(b"x" * 1000)
    save(jobs, root)
    ran = save(jobs, root, INCREMENTAL)
    assert ran.outcome.totals.read_bytes == 0
    assert records(jobs, ran) == []


def test_what_the_fileset_leaves_out_is_not_sent(jobs: Place, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    for name in ("a.txt", "b.tmp"):
        (root / name).write_text(name)
    options = Options(signature=Signature.MD5, exclude=True, wildfile=(b"*.tmp",))
    assert names(jobs, save(jobs, root, options=options)) == {b"", b"a.txt"}


def overlapping(tree: Path) -> dict[str, tuple[Include, ...]]:
    """What leaves a directory out, in one of two Includes that have it."""
    here, sub = os.fsencode(tree), os.fsencode(tree / "sub")
    rest = Include((MD5,), (here,))
    return {
        "a marker": (rest, Include((MD5,), (sub,), exclude_dir_containing=(b"core",))),
        "an exclude": (Include((replace(MD5, exclude=True, wild=(b"*/sub*",)),), (here,)), Include((MD5,), (sub,))),
        "no recursion": (Include((replace(MD5, recurse=False),), (here,)), Include((MD5,), (sub,))),
        "patterns, the inner first": (Include((replace(MD5, exclude=True, wildfile=(b"*",)),), (sub,)), rest),
        "all the same": (rest, rest),
        "the same line": (Include((replace(MD5, exclude=True, wild=(b"*",)),), (here,)), rest),
    }


@pytest.mark.parametrize("how", overlapping(Path("/")))
def test_what_any_include_takes_is_saved_and_once(jobs: Place, tmp_path: Path, how: str) -> None:
    root = tmp_path / "tree"
    (root / "sub" / "deep").mkdir(parents=True)
    for name in ("a", "sub/core", "sub/deep/b"):
        (root / name).write_text(name)
    includes = overlapping(root)[how]
    ran = jobs.backup_of(includes, line("filesystem"))
    assert ran.outcome.status is JobStatus.OK, ran.messages
    sent = [parse_attributes(data).path for _, stream, data in records(jobs, ran) if stream == 1]
    assert sorted(os.path.relpath(os.fsdecode(path), root) for path in sent) == [
        ".",
        "a",
        "sub",
        "sub/core",
        "sub/deep",
        "sub/deep/b",
    ]
    (root / "sub" / "deep" / "b").unlink()
    ran = jobs.backup_of(includes, line("filesystem"), level=INCREMENTAL)
    sent = [parse_attributes(data).path for _, stream, data in records(jobs, ran) if stream == 1]
    assert sorted(os.path.relpath(os.fsdecode(path), root) for path in sent) == ["sub/deep", "sub/deep/b"]


def test_what_one_instance_did_not_list_to_its_end_is_not_deleted(jobs: Place, tmp_path: Path) -> None:
    """Two File lines, of which one cannot be looked at now: only the names of the other can be known to be gone."""
    for name in ("here", "lost"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    roots = [os.fsencode(tmp_path / name) for name in ("here", "lost")]
    jobs.backup(line("filesystem"), files=roots, options=MD5)
    (tmp_path / "here" / "file").unlink()
    (tmp_path / "lost").rename(tmp_path / "away")
    ran = jobs.backup(line("filesystem"), files=roots, options=MD5, level=INCREMENTAL)
    assert ran.outcome.status is JobStatus.WARNINGS
    gone = [parse_attributes(data) for _, stream, data in records(jobs, ran) if stream == 1]
    assert [one.path for one in gone if one.type == FileType.DELETED] == [os.fsencode(tmp_path / "here" / "file")]


def test_an_estimate_chooses_what_a_backup_sends(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    for name in ("old", "new", "a.tmp", "sub/linked"):
        (root / name).write_text(name)
    (root / "link").hardlink_to(root / "sub" / "linked")
    (root / "pipe").symlink_to("new")
    for name in ("new", "a.tmp", "sub/linked", "sub"):
        os.utime(root / name, (LONG_AHEAD, LONG_AHEAD))
    since = Changes(since=LONG_AHEAD - 1)
    listed: list[str] = []

    def on_event(event: Event) -> None:
        if event["event"] == "listing":
            listed.extend(event["lines"])  # type: ignore[arg-type]

    with Storage() as storage:
        job = backup_of(
            root, tmp_path, storage.port, level=Level.INCREMENTAL, changes=since, exclude=True, wildfile=(b"*.tmp",)
        )
        sent = run(job)
        assert sent.outcome.status is JobStatus.OK, sent.messages
        paths = [parse_attributes(data).path for _, stream, data in storage.records if stream == 1]
    estimate = EstimateJob(replace(job.who, job_id=0), job.level, job.fileset, job.agents, since, listing=True)
    with start_job(estimate) as process:
        assert process.run(on_event, lambda: None).totals.files == sent.outcome.totals.files
    names_listed = [text.split("  ")[-1].split(" -> ")[0] for text in listed]
    assert names_listed == [os.fsdecode(path.rstrip(b"/")) for path in paths]
    assert {os.path.basename(name) for name in names_listed} == {"new", "linked", "link", "sub"}
