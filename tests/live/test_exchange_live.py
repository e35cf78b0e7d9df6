"""A real Director drives it: accurate Jobs, the state of the base it names, restore objects back before the files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.esesim.compile import Built, compile_simulator
from tests.esesim.simulator import MAILBOX, Store
from tests.live.bacula import Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import rows, saved
from tests.native_agents.exchange.conftest import small_store

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("bacula-dir", path="/usr/sbin:/usr/bin"), reason="no Bacula"),
]


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return compile_simulator(tmp_path_factory.mktemp("esesim"))


@pytest.fixture
def bacula(tmp_path: Path, simulator: Built) -> Iterator[Bacula]:
    """One Job by a File line, `Lines`, and one by a Plugin line, `Plugin`; both accurate."""
    options = "Options { signature = MD5; compression = GZIP1 }"
    made = Bacula(tmp_path / "bacula")
    made.write_confs(
        file_sets=f'FileSet {{ Name = Lines; Include {{ {options} File = "/@EXCHANGE/" }} }}\n'
        f'FileSet {{ Name = Plugin; Include {{ {options} Plugin = "exchange:/@EXCHANGE" }} }}\n',
        jobs="".join(
            f"Job {{ Name = {name}; JobDefs = Common; FileSet = {name}; Accurate = yes }}\n"
            for name in ("Lines", "Plugin")
        ),
    )
    with made.conf("fd").open("a") as conf:
        conf.write(f'plugin exchange.dll {{ library = "{simulator.library}" }}\n')
    made.make_catalog()
    made.start("sd", "dir")
    with made:
        yield made


@pytest.mark.parametrize("run", [("Lines", 1), ("Plugin", -1)], ids=["oldest-first", "newest-first"])
def test_full_and_incrementals_come_back_as_they_were(
    bacula: Bacula, simulator: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: tuple[str, int]
) -> None:
    job, order = run  # and in which order the restore names the Jobs
    monkeypatch.setenv("ESESIM_ROOT", str(tmp_path / "store"))
    store: Store = small_store(simulator.library, tmp_path / "store")
    with FiledDaemon(bacula):
        ids = [saved(bacula, job)]
        for seed in (2, 3):
            store.write(60, seed)
            ids.append(saved(bacula, job, "Incremental"))
        content = store.dump()
        store.dismount()
        store.wipe_stream()
        said = bacula.console(
            f'restore client={bacula.client} jobid={",".join(map(str, ids[::order]))} where="/" all done yes', "wait"
        )
        assert re.search(r"JobId=\d+", said)
        bacula.expect("databases mounted")
        assert store.dump() == content
    assert store.status().states[MAILBOX][0] == "mounted"
    logs = (
        "SELECT COUNT(*) FROM File JOIN Filename USING (FilenameId) WHERE JobId = {} AND Filename.Name LIKE 'E00%.log'"
    )
    counts = [int(rows(bacula, logs.format(jobid))[0][0]) for jobid in ids]
    assert all(count > 1 for count in counts)
    deleted = rows(bacula, "SELECT COUNT(*) FROM File WHERE FileIndex = 0")
    assert int(deleted[0][0]) == 0  # neither databases nor logs that an Incremental does not list
    assert "gap" not in bacula.messages()
