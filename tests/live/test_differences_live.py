"""Where `filed` differs from bacula-fd on purpose (docs/differences.md): the same Jobs with both, under a Director of each release."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.live.bacula import Bacula
from tests.live.daemons import BOTH, debians
from tests.live.jobs import rows, status_of
from tests.live.releases import Release
from tests.live.reports import expect_report, report, run
from tests.live.trees import LONG_AGO, age

pytestmark = [pytest.mark.live, pytest.mark.root]

LIMIT = "Maximum Bandwidth Per Job = 100kb/s; Comm Compression = no"
LARGE_BYTES = 60_000_000
"""At 100 kB/s: ten minutes."""
INCLUDES = {  # name -> the Includes of its FileSet; {0} is the tree
    "Links": 'Include {{ Options {{ signature = MD5; wildfile = "*.skip"; exclude = yes }} Options {{ signature = MD5 }}'
    ' File = "{0}/one"; File = "{0}/two" }}',
    "Atime": 'Include {{ Options {{ keepatime = yes }} File = "{0}/read" }}',
    "Twice": 'Include {{ File = "{0}/deep" }} Include {{ Options {{ signature = MD5 }} File = "{0}/deep" }}',
    "Letters": 'Include {{ Options {{ wildfile = "*/?.x"; exclude = yes }} File = "{0}/names" }}',
    "Recurse": 'Include {{ Options {{ recurse = no }} File = "{0}/one" }} Include {{ File = "{0}/deep" }}',
    "Again": 'Include {{ Options {{ regexfile = "(a)\\\\1"; exclude = yes }} File = "{0}/names" }}',
    "Words": 'Include {{ Options {{ regexfile = "-\\\\>"; exclude = yes }} File = "{0}/names" }}',
    "Drive": 'Include {{ Options {{ drivetype = fixed }} File = "{0}/two" }}',
    "Missing": 'Include {{ File = "{0}/missing" }}',
}


@dataclass
class Seen:
    """Of one File Daemon. names: Job -> names below the tree, one for each row of the catalog."""

    status: dict[str, str] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    restored: dict[str, int] = field(default_factory=dict)  # name -> mode, of what came back of Links
    kept_atime: bool = False
    large: str = ""


def on_lines(text: str) -> str:
    return text.replace("{ ", "{\n").replace(" }", "\n}\n").replace("; ", "\n")


def plant(tree: Path) -> None:
    shutil.rmtree(tree, ignore_errors=True)
    for name in (
        "one/a.skip",
        "two/own",
        "read/file",
        "deep/sub/file",
        "names/é.x",
        "names/y.x",
        "names/aa",
        "names/-a",
    ):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(f"of {name}")
    (tree / "two/linked").hardlink_to(tree / "one/a.skip")
    (tree / "large").write_bytes(os.urandom(LARGE_BYTES))
    age(tree)


def see(bacula: Bacula, tree: Path, daemon: Callable[[Bacula], AbstractContextManager[object]]) -> Seen:
    seen = Seen()
    plant(tree)
    bacula.write_fd("Comm Compression = no")
    with daemon(bacula):
        jobs = dict(zip(INCLUDES, run(bacula, *(f"{name} level=Full" for name in INCLUDES)), strict=True))
        seen.kept_atime = (tree / "read/file").stat().st_atime == LONG_AGO
        restore(bacula, jobs["Links"], tree, seen)
    for name, number in jobs.items():
        query = bacula.release.select_files("File.FileIndex")
        found = rows(bacula, f"{query} WHERE JobId = {number} AND File.FileIndex > 0")
        seen.names[name] = sorted(os.path.relpath(str(path), tree) for path, _ in found)
        seen.status[name] = status_of(bacula, number)
        seen.told[name] = "\n".join(report(bacula, number))
    bacula.write_fd(LIMIT)
    with daemon(bacula):
        seen.large = large(bacula, waits=daemon is debians)
    return seen


def restore(bacula: Bacula, job: int, tree: Path, seen: Seen) -> None:
    """One file without the directories above it."""
    where = bacula.root / "back"
    shutil.rmtree(where, ignore_errors=True)
    said = bacula.console(
        f"restore client={bacula.client} jobid={job} where={where}",
        f"cd {tree}/two",
        "mark linked own",
        "done",
        "yes",
        "wait",
    )
    expect_report(bacula, int(re.findall(r"Job queued. JobId=(\d+)", said)[0]))
    top = where / tree.relative_to("/")
    for path in (*top.rglob("*"), where):
        seen.restored[os.path.relpath(path, top)] = stat.S_IMODE(path.stat().st_mode)


def large(bacula: Bacula, *, waits: bool) -> str:
    """How a Job ends that would take ten minutes at the limit. waits: until it ends; else it is canceled once it runs."""
    if bacula.release.newer and waits:
        (number,) = run(bacula, "Large level=Full")
        return status_of(bacula, number)
    (number,) = map(int, re.findall(r"JobId=(\d+)", bacula.console("run job=Large level=Full yes")))
    while not re.search(r"Bwlimit=\d", bacula.console(f"status client={bacula.client}")):
        assert status_of(bacula, number) in "CR", report(bacula, number)
    bacula.console(f"cancel jobid={number} yes", "wait")
    expect_report(bacula, number)
    return status_of(bacula, number)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[tuple[Seen, Seen, Release]]:
    """Of `filed`, and of bacula-fd."""
    root = tmp_path_factory.mktemp("differences")
    tree = root / "tree"
    sets = {name: text.format(tree) for name, text in INCLUDES.items()} | {
        "Large": f'Include {{ File = "{tree}/large" }}'
    }
    with Bacula(root, release=release) as bacula:
        bacula.write_confs(
            file_sets="".join(f"FileSet {{\nName = {name}\n{on_lines(text)}\n}}\n" for name, text in sets.items()),
            jobs="".join(f"Job {{ Name = {name}; JobDefs = Common; FileSet = {name} }}\n" for name in sets),
        )
        bacula.make_catalog()
        bacula.start("sd", "dir")
        ours, theirs = (see(bacula, tree, daemon) for daemon in BOTH)
        yield ours, theirs, release


Both = tuple[Seen, Seen, Release]


def test_a_file_whose_first_name_is_excluded_has_its_data_with_the_second(both: Both) -> None:
    ours, theirs, _ = both
    assert "two/linked" in ours.restored
    assert "two/linked" not in theirs.restored
    assert (ours.status["Links"], theirs.status["Links"]) == ("T", "T")


def test_times_of_access_are_put_back(both: Both) -> None:
    ours, theirs, release = both
    assert ours.kept_atime
    assert theirs.kept_atime is not release.newer


def test_a_name_that_two_includes_take_is_saved_once(both: Both) -> None:
    ours, theirs, _ = both
    assert ours.names["Twice"] == ["deep", "deep/sub", "deep/sub/file"]
    assert theirs.names["Twice"] == sorted(ours.names["Twice"] * 2)


def test_a_question_mark_is_one_character(both: Both) -> None:
    ours, theirs, _ = both
    assert "names/é.x" not in ours.names["Letters"]
    assert "names/é.x" in theirs.names["Letters"]


def test_an_include_does_not_hold_in_the_next_one(both: Both) -> None:
    ours, theirs, _ = both
    assert "deep/sub/file" in ours.names["Recurse"]
    assert "deep/sub/file" not in theirs.names["Recurse"]


def test_a_back_reference_fails_the_job(both: Both) -> None:
    ours, theirs, _ = both
    assert ours.status["Again"] == "f"
    assert "back-references" in ours.told["Again"]
    assert "names/aa" not in theirs.names["Again"]


def test_an_end_of_a_word_is_any_border_of_one(both: Both) -> None:
    ours, theirs, _ = both
    assert "names/-a" not in ours.names["Words"]
    assert "names/-a" in theirs.names["Words"]


def test_a_drive_type_takes_nothing_away(both: Both) -> None:
    ours, theirs, _ = both
    assert "two/own" in ours.names["Drive"]
    assert theirs.names["Drive"] == []
    assert theirs.status["Drive"] == "T"


def test_a_backup_of_nothing_that_could_be_looked_at_has_failed(both: Both) -> None:
    ours, theirs, _ = both
    assert (ours.status["Missing"], theirs.status["Missing"]) == ("f", "T")


def test_directories_made_for_a_file_are_private(both: Both) -> None:
    ours, theirs, _ = both
    assert (oct(ours.restored["two"]), oct(theirs.restored["two"])) == ("0o700", "0o744")


def test_a_bandwidth_limit_holds(both: Both) -> None:
    ours, theirs, release = both
    assert (ours.large, theirs.large) == ("A", "T" if release.newer else "A")
