"""Programs of a Job: when they run, with which codes, and what their failure means, as with Debian's File Daemon."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.live.bacula import Bacula
from tests.live.daemons import BOTH
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import rows
from tests.live.releases import BACULA_15, Release
from tests.live.reports import report, restore, run
from tests.live.trees import plant

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("bacula-dir", path="/usr/sbin:/usr/bin"), reason="no Bacula"),
]

CODES = "% c=%c d=%d D=%D e=%e E=%E i=%i j=%j n=%n s=%s t=%t F=%F b=%b R=%R v=%v f=%f l=%l"


def directive(word: str, command: str) -> str:
    return f'  Client Run {word} Job = "{command}"\n'


def block(when: str, command: str, *, good: str = "yes", bad: str = "no", fatal: str = "yes") -> str:
    return (
        f"  RunScript {{\n    RunsWhen = {when}\n    RunsOnClient = yes\n    RunsOnSuccess = {good}\n    RunsOnFailure = {bad}\n"
        f'    FailJobOnError = {fatal}\n    Command = "{command}"\n  }}\n'
    )


FALSE, FAILED = "/bin/sh -c 'echo out; echo err >&2; exit 3'", "/bin/echo failed %e"
PROGRAMS = {
    "Codes": directive("Before", f"/bin/echo {CODES}")
    + directive("After", f"/bin/echo {CODES}")
    + block("Before", f"/bin/echo B {CODES}")
    + block("After", f"/bin/echo A {CODES}"),
    "BeforeFails": directive("Before", FALSE) + block("After", FAILED, good="no", bad="yes"),
    "BlockFails": block("After", FAILED, good="no", bad="yes")
    + block("Before", FALSE)
    + block("After", "/bin/echo unseen"),
    "MayFail": block("Before", FALSE, fatal="no")
    + block("After", "/bin/echo good %e")
    + block("After", FAILED, good="no", bad="yes"),
    "VssFails": block("AfterVSS", FALSE) + block("After", "/bin/echo failed", good="no", bad="yes"),
    "VssMayFail": block("AfterVSS", FALSE, fatal="no") + block("AfterVSS", "/bin/echo once open"),
    "AfterFails": directive("After", FALSE),
    "AfterBlockFails": block("After", FALSE),
    "AfterMayFail": block("After", FALSE, fatal="no"),
    "NoSuch": directive("Before", "/no/such/program x"),
    "NoSuchAfter": directive("After", "/no/such/program"),
    "Always": block("Always", "/bin/echo always", bad="yes"),
    "Broken": block("After", FAILED, good="no", bad="yes") + block("After", "/bin/echo unseen"),
}
Said = dict[str, tuple[str, list[str]]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, release: Release) -> tuple[Said, Said]:
    """Of `filed`, and of bacula-fd: Job -> (status, what was printed)."""
    root = tmp_path_factory.mktemp("scripts")
    plant(root / "tree", {"a": b"aaa\n"})
    sets = f'FileSet {{ Name = T; Include {{ Options {{ signature = MD5 }} File = "{root}/tree" }} }}\n'
    sets += f'FileSet {{\n Name = Bad\n Include {{\n Options {{\n plugin = "nobody: x"\n }}\n File = "{root}/tree"\n }}\n}}\n'
    jobs = "".join(
        f"Job {{\n  Name = {name}\n  JobDefs = Common\n  FileSet = {'Bad' if name == 'Broken' else 'T'}\n{programs}}}\n"
        for name, programs in PROGRAMS.items()
    )
    around = block("Before", "/bin/echo before %t") + block("After", "/bin/echo after %e %t %F %b")
    jobs += f'Job {{\n  Name = Back\n  JobDefs = Common\n  Type = Restore\n  Where = "{root}/restored"\n{around}}}\n'
    jobs += f"Job {{\n  Name = Check\n  JobDefs = Common\n  Type = Verify\n  Level = InitCatalog\n  FileSet = T\n{around}}}\n"
    said: list[Said] = []
    with Bacula(root, release=release) as bacula:
        bacula.write_confs(file_sets=sets, jobs=jobs)
        bacula.make_catalog()
        bacula.start("sd", "dir")
        for daemon in BOTH:
            with daemon(bacula):
                names = [*PROGRAMS, "Check"]
                ids = run(bacula, *(name if name == "Check" else f"{name} level=Full" for name in names))
                ids.append(restore(bacula, str(ids[0]), "restorejob=Back"))
                said.append({name: told(bacula, job_id) for name, job_id in zip([*names, "Back"], ids, strict=True)})
    return said[0], said[1]


def told(bacula: Bacula, job_id: int) -> tuple[str, list[str]]:
    """What programs printed, and how they were called; without what is another's of each Job."""
    lines = [line for line in report(bacula, job_id) if re.match(r"\S+: (shell command: run )?Client\w+", line)]
    lines = [re.sub(rf"\d{{4}}-\d\d-\d\d_[\d._]+|i={job_id}\b", "*", line) for line in lines]
    ((status,),) = rows(bacula, f"SELECT JobStatus FROM Job WHERE JobId = {job_id}")
    return str(status), lines


@pytest.mark.parametrize("job", [*PROGRAMS, "Check", "Back"])
def test_programs_run_as_with_bacula_fd(both: tuple[Said, Said], job: str) -> None:
    ours, theirs = both
    assert ours[job] == theirs[job]


def test_a_program_runs_for_the_end_that_it_is_meant_for(both: tuple[Said, Said]) -> None:
    ours, _ = both
    text = {job: (status, "\n".join(lines)) for job, (status, lines) in ours.items()}
    assert text["Broken"][0] == "f"
    assert "ClientAfterJob: failed Fatal Error" in text["Broken"][1]
    assert all("unseen" not in lines for _, lines in text.values())
    assert "ClientAfterJob: failed" in text["BlockFails"][1]
    assert text["MayFail"][0] == "T"
    assert "ClientAfterJob: good OK" in text["MayFail"][1]
    assert {text[job][0] for job in ("AfterFails", "AfterBlockFails", "NoSuchAfter", "VssFails")} == {"E"}
    assert text["AfterMayFail"][0] == "T"
    assert text["Always"][1].count(": always") == 2
    assert "ClientBeforeJob: err" in text["MayFail"][1]


def test_jobs_that_fail_before_their_first_byte_do_not_hold_the_director(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A Director of 15 waits two minutes for a Storage Daemon that nobody called: in one such Job of eight, when all of them are."""
    root = tmp_path_factory.mktemp("failing")
    jobs = "".join(
        f"Job {{ Name = Fails{each}; JobDefs = Common; Client Run Before Job = /bin/false }}\n" for each in range(16)
    )
    with Bacula(root, release=BACULA_15) as bacula:
        bacula.write_confs(jobs=jobs)
        bacula.make_catalog()
        bacula.start("sd", "dir")
        with FiledDaemon(bacula):
            ids = run(bacula, *(f"Fails{each} level=Full" for each in range(16)))
        took = rows(bacula, "SELECT JobStatus, strftime('%s', EndTime) - strftime('%s', StartTime) FROM Job")
    assert len(took) == len(ids)
    assert all(str(status) in "fE" and int(str(seconds)) < 60 for status, seconds in took), took
