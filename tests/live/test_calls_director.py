"""The File Daemon calls its Director (`Connect To Director`), which reaches it in no other way."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.live.bacula import TIMEOUT_S, Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import restored, saved, shown
from tests.live.recording import Recorder
from tests.live.releases import BACULA_15

pytestmark = [pytest.mark.live, pytest.mark.skipif(not BACULA_15.there, reason="no Bacula 15 (tools/install-peers)")]


def test_a_director_uses_the_connections_that_its_client_makes(tmp_path: Path) -> None:
    """It cannot reach the client in any other way. (bacula-fd 15 does the same, but does not end at SIGTERM while such a connection waits.)"""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(b"content of the file")
    with Bacula(tmp_path, release=BACULA_15) as bacula, Recorder(bacula.ports["dir"]) as recorder:
        bacula.write_confs(
            file_sets=f'FileSet {{ Name = T; Include {{ Options {{ signature = MD5 }} File = "{tree}" }} }}\n',
            jobs="Job { Name = Save; JobDefs = Common; FileSet = T }\n",
        )
        conf, name = bacula.conf("dir"), f"Client {{\n  Name = {bacula.client}\n"
        text = conf.read_text().replace(f"FDPort = {bacula.ports['fd']}", "FDPort = 1")
        assert name in text
        conf.write_text(text.replace(name, f"{name}  Allow FD Connections = yes\n"))
        bacula.write_fd("", f"Address = 127.0.0.1\n  DIR Port = {recorder.port}\n  Connect To Director = yes")
        bacula.make_catalog()
        bacula.start("sd", "dir")
        with FiledDaemon(bacula):
            end = time.monotonic() + TIMEOUT_S
            while "Director connected using TLS" not in (said := bacula.console(f"status client={bacula.client}")):
                assert time.monotonic() < end, said
            job = saved(bacula, "Save")
            assert shown(restored(bacula, str(job), tree)) == shown(tree)
    for each in recorder.conversations:
        assert each.raw(True)[4:].startswith(b"Hello t-fd fdcallsdir 1 tlspsk=100\n")
        assert b"Job" not in each.raw(True)
