"""`Plugin =` lines of a real Director's FileSets: to agents by name, with their states; and bpipe's, both ways with bacula-fd."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.agents.compile import compile_agent
from tests.live.bacula import Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import files_of, rows, saved, status_of
from tests.live.releases import BACULA_9, Release
from tests.system_agents.plan import ROOT, Item, write_plan

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("bacula-dir", path="/usr/sbin:/usr/bin"), reason="no Bacula"),
]


class Site:
    """A Director whose FileSets have Plugin lines, and the conf of either File Daemon."""

    def __init__(self, root: Path, release: Release) -> None:
        self.root, self.out, self.dump = root, root / "out", root / "dump"
        self.other = root / "other"
        self.trace, self.plan = root / "trace", root / "plan"
        (root / "tree").mkdir()
        (root / "tree" / "file").write_text("one")
        self.dump.write_text("dump one\n")
        lines = {
            "Dump": f"bpipe:/dump/a:cat {self.dump}:cat > {self.out}; echo loaded %w %r",
            "Trace": f"trace: trace = {self.trace}, plan = {self.plan}, state = kept",
            "Base": f"sqlite: directory = {root}/db",
            "Unknown": "oracle: sid = X",
        }
        sets = "".join(
            f'FileSet {{ Name = {name}; Include {{ Options {{ signature = MD5 }} File = "{root}/tree"; Plugin = "{text}" }} }}\n'
            for name, text in lines.items()
        )
        jobs = "".join(f"Job {{ Name = {name}; JobDefs = Common; FileSet = {name} }}\n" for name in lines)
        self.bacula = Bacula(root, release=release)
        # Each File Daemon passes over what it does not know of the other's.
        self.bacula.write_confs(file_sets=sets, jobs=jobs, client=f"Plugin Directory = {root}/plugins")
        self.theirs = self.bacula.conf("fd").read_text().replace(f"{root}/plugins", str(release.plugins))
        self.ours = self.bacula.conf("fd").read_text() + (
            f'plugin filesystem\nplugin trace\nplugin sqlite {{ scratch = "{root}" }}\nplugin pipe {{ allow = "cat {self.dump}"\n'
            f'  allow = "cat > {self.out}; echo loaded %w %r"\n  allow = "cat > {self.other}" }}\n'
        )
        (root / "plugins").mkdir(mode=0o755)
        compile_agent("trace.c", root / "plugins", "trace")
        self.bacula.make_catalog()
        self.bacula.start("sd", "dir")

    def daemon(self) -> FiledDaemon:
        self.bacula.conf("fd").write_text(self.ours)
        return FiledDaemon(self.bacula)

    def start_bacula_fd(self) -> None:
        self.bacula.conf("fd").write_text(self.theirs)
        self.bacula.start("fd")

    def ran(self, job: str, level: str = "Full") -> tuple[int, str]:
        """JobId and JobStatus of a Job, good or not."""
        found = re.search(r"JobId=(\d+)", self.bacula.console(f"run job={job} level={level} yes", "wait"))
        assert found is not None
        return int(found[1]), status_of(self.bacula, int(found[1]))

    def restored(self, job_ids: str) -> str:
        """What the log says of a good restore."""
        before = len(self.bacula.messages())
        self.bacula.console(f"restore client={self.bacula.client} jobid={job_ids} all done yes", "wait")
        (last,) = rows(self.bacula, "SELECT JobStatus, JobId FROM Job WHERE Type = 'R' ORDER BY JobId DESC LIMIT 1")
        self.bacula.expect(f"JobId {last[1]}: Bacula t-dir")
        assert last[0] == "T", self.bacula.messages()[before:]
        return self.bacula.messages()[before:]

    def restored_by(self, job_id: int, command: str) -> None:
        """A good restore with another command, by the menu that bpipe of 15 has for it."""
        self.bacula.console(
            f"restore client={self.bacula.client} jobid={job_id} all done",
            "mod",
            "13",
            "mod",
            command,
            "yes",
            "yes",
            "wait",
        )
        (last,) = rows(self.bacula, "SELECT JobStatus FROM Job WHERE Type = 'R' ORDER BY JobId DESC LIMIT 1")
        assert last == ("T",), self.bacula.messages()

    def calls(self, *start: str) -> list[str]:
        lines = self.trace.read_text().splitlines() if self.trace.exists() else []
        self.trace.unlink(missing_ok=True)
        return [text.partition(" fileset=")[0] for text in lines if text.startswith(start)]


@pytest.fixture
def site(tmp_path: Path, release: Release) -> Iterator[Site]:
    """Of each release of Bacula."""
    made = Site(tmp_path, release)
    with made.bacula:
        yield made


@pytest.fixture
def a_site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, BACULA_9)
    with made.bacula:
        yield made


def test_bpipe_volumes_go_both_ways_and_a_failing_pipe_leaves_the_older_dump_the_base(site: Site) -> None:
    with site.daemon():
        ours = saved(site.bacula, "Dump")
        site.dump.unlink()
        said = site.bacula.console("estimate job=Dump listing")
        assert "/dump/a" in said
        assert "2000 OK estimate files=3" in said
        _, status = site.ran("Dump", "Incremental")
        assert status in "Ef"
        site.bacula.expect("its command ended with exit code 1; the last it said: cat: ")
        site.dump.write_text("dump two\n")
        later = saved(site.bacula, "Dump", "Incremental")
        assert f"pipe: /dump/a: loaded {site.bacula.root}/restored a" in site.restored(f"{ours},{later}")
        assert site.out.read_text() == "dump two\n"
    site.dump.write_text("dump one\n")
    site.start_bacula_fd()
    theirs = saved(site.bacula, "Dump")
    assert f"/dump/a: loaded {site.bacula.root}/restored a" in site.restored(str(ours))  # by the real plugin
    assert site.out.read_text() == "dump one\n"
    site.bacula.stop("fd")
    site.out.unlink()
    with site.daemon():
        site.restored(str(theirs))
        assert site.out.read_text() == "dump one\n"
        if site.bacula.release.newer:
            site.restored_by(theirs, f"cat > {site.other}")
            assert site.other.read_text() == "dump one\n"
    assert files_of(site.bacula, ours) == files_of(site.bacula, theirs)


def test_a_state_is_found_by_the_name_that_the_director_has_for_its_job(site: Site) -> None:
    write_plan(site.plan, Item("/@TRACE/config", "C", kind="o"), Item("/@TRACE/a", "A", flags="S"), ROOT)
    with site.daemon():
        full = saved(site.bacula, "Trace")
        ((name,),) = rows(site.bacula, f"SELECT Job FROM Job WHERE JobId = {full}")
        assert site.calls("begin") == ["begin kind=1 level=full why=none base= state= format=0"]
        found = f"level=incremental why=found base={name} state=kept format=3"
        assert "/@TRACE/a" in site.bacula.console("estimate job=Trace level=Incremental listing")
        assert site.calls("confirmed", "begin", "open_stream", "commit") == [f"begin kind=3 {found}"]
        saved(site.bacula, "Trace", "Incremental")
        assert site.calls("confirmed", "begin") == [f"confirmed {name} state=kept format=3", f"begin kind=1 {found}"]
        site.restored(str(full))
        given = [text.split(" name=")[1].split()[0] for text in site.calls("restore_entry")]
        assert given == ["/@TRACE/config", "/@TRACE/a", "/@TRACE"]  # and not the object that is the host's own
        saved(site.bacula, "Trace", "Incremental")
        (begun,) = site.calls("begin")
        assert " why=restored " in begun
        _, status = site.ran("Unknown")
        assert status in "Ef"
        site.bacula.expect("no agent 'oracle' here; the conf names: filesystem, trace, sqlite, pipe (or bpipe).")
    objects = rows(site.bacula, f"SELECT ObjectName, PluginName FROM RestoreObject WHERE JobId = {full} ORDER BY 1")
    assert [name for name, _ in objects] == ["/@TRACE/config", "filed-state"]
    assert str(objects[0][1]).startswith("trace:2: trace = ")
    assert objects[1][1] == "trace:filed-state"


def test_a_database_is_saved_while_it_is_written_and_an_incremental_has_what_changed(a_site: Site) -> None:
    (a_site.root / "db").mkdir()
    with closing(sqlite3.connect(a_site.root / "db" / "app.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE t (a)")
        with a_site.daemon():
            full = saved(a_site.bacula, "Base")
            db.execute("INSERT INTO t VALUES (1)")  # it stands in the log alone
            os.utime(a_site.root / "db" / "app.db", (1, 1))
            later = saved(a_site.bacula, "Base", "Incremental")
            a_site.restored(f"{full},{later}")
    back = a_site.bacula.root / "restored" / "@SQLITE" / a_site.root.relative_to("/") / "db" / "app.db"
    with closing(sqlite3.connect(back)) as db:
        assert db.execute("SELECT * FROM t").fetchall() == [(1,)]
    names = [[str(name) for name, *_ in files_of(a_site.bacula, job_id)] for job_id in (full, later)]
    assert [sum(name.endswith("/app.db") for name in each) for each in names] == [1, 1]
