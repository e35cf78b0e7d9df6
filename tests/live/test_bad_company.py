"""A crashing, a hanging and a lying agent, each in a Job of its own, while two good Jobs run: a real Director hears the truth of all five."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.compile import compile_agent
from tests.live.bacula import Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import restored, rows, saved, shown

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("bacula-dir", path="/usr/sbin:/usr/bin"), reason="no Bacula"),
]

SINS = {
    "Crashing": ("crash-read", "agent bad 6.6 crashed (SIGSEGV) in read, entry /@BAD/one"),
    "Hanging": ("hang-next_entries", "agent bad 6.6 made no progress for 2 s in next_entries"),
    "Lying": ("read-overlap", "agent bad 6.6: read: broke the contract: "),
}
GOOD = ("First", "Second")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    made.mkdir()
    for number in range(300):
        (made / str(number)).write_bytes(bytes([number % 256]) * 20_000)
    return made


@pytest.fixture
def bacula(tmp_path: Path, tree: Path) -> Iterator[Bacula]:
    plugins = tmp_path / "plugins"
    plugins.mkdir(mode=0o755)
    compile_agent("bad.c", plugins, "bad")
    sets = "".join(
        f'FileSet {{ Name = {name}; Include {{ Options {{ signature = MD5 }} Plugin = "bad: sin={sin}" }} }}\n'
        for name, (sin, _) in SINS.items()
    )
    sets += f'FileSet {{ Name = Good; Include {{ Options {{ signature = MD5 }} File = "{tree}" }} }}\n'
    jobs = "".join(f"Job {{ Name = {name}; JobDefs = Common; FileSet = {name} }}\n" for name in SINS)
    jobs += "".join(f"Job {{ Name = {name}; JobDefs = Common; FileSet = Good }}\n" for name in GOOD)
    with Bacula(tmp_path) as made:
        made.write_confs(
            file_sets=sets,
            jobs=jobs,
            client=f'  Plugin Directory = "{plugins}"\n  plugin filesystem\n  plugin bad {{ Fence {{ Timeout = 2 s }} }}',
        )
        made.make_catalog()
        made.start("sd", "dir")
        yield made


def test_bad_agents_cost_their_own_jobs_only(bacula: Bacula, tree: Path) -> None:
    before = shown(tree)
    with FiledDaemon(bacula) as daemon:
        bacula.console(*(f"run job={name} yes" for name in (*SINS, *GOOD)), "wait")
        ended = dict(rows(bacula, "SELECT Name, JobStatus FROM Job"))
        assert ended == dict.fromkeys(SINS, "f") | dict.fromkeys(GOOD, "T"), bacula.messages()
        for _, report in SINS.values():
            bacula.expect(report)
        bacula.expect("where its code was is in ")
        assert daemon.children() == []
        job = saved(bacula, "First")
        assert shown(restored(bacula, str(job), tree)) == before
