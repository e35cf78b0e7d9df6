"""`filed daemon` as an ordinary user that may read everything, as its systemd unit proposes: a real Director has it save root's files."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.bacula import Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import restored, saved, shown

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("bacula-dir", path="/usr/sbin:/usr/bin"), reason="no Bacula"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives capabilities away"),
]
NOBODY = pwd.getpwnam("nobody")
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups", "--no-new-privs"),
    *("--bounding-set=-all,+dac_read_search", "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)


@pytest.fixture
def dev_null() -> Iterator[None]:
    """For everybody, as on every Linux; in some containers it is root's."""
    device = Path(os.devnull)
    before = device.stat().st_mode
    device.chmod(0o666)
    yield
    device.chmod(stat.S_IMODE(before))


@pytest.fixture
def bacula(tmp_path: Path) -> Iterator[Bacula]:
    tree = tmp_path / "tree"
    (tree / "closed").mkdir(parents=True, mode=0o700)
    (tree / "closed" / "secret").write_text("root's own\n")
    (tree / "closed" / "secret").chmod(0o600)
    with Bacula(tmp_path) as made:
        made.write_confs(
            file_sets=f'FileSet {{ Name = S; Include {{ Options {{ signature = MD5 }} File = "{tree}" }} }}',
            jobs="Job { Name = Save; JobDefs = Common; FileSet = S }",
        )
        work = made.root / "nobodys"
        work.mkdir()
        shutil.chown(work, "nobody")
        conf = made.conf("fd")
        conf.write_text(conf.read_text().replace(str(made.work), str(work)))
        shutil.chown(conf, "nobody")
        made.make_catalog()
        made.start("sd", "dir")
        yield made


@pytest.mark.usefixtures("dev_null")
def test_it_saves_what_only_root_may_read(bacula: Bacula, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    before = shown(tree)
    with FiledDaemon(bacula, AS_NOBODY) as daemon:
        assert f"Uid:\t{NOBODY.pw_uid}" in Path(f"/proc/{daemon.process.pid}/status").read_text()
        job = saved(bacula, "Save")
    bacula.start("fd")  # as root, which may give files back to their owners
    assert shown(restored(bacula, str(job), tree)) == before
