"""The Storage Daemon calls the client (`SD Calls Client`): `filed daemon` and bacula-fd in the same Jobs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.live.bacula import Bacula
from tests.live.daemons import BOTH
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import shown, status_of
from tests.live.releases import Release
from tests.live.reports import report, restore, run, saved
from tests.live.test_tls_live import certificates

pytestmark = pytest.mark.live


def prepare(bacula: Bacula, tree: Path, storage: str) -> None:
    """Jobs Save, into Disk, and More, into another Storage; Check verifies Save. storage: directives of the other."""
    for name in ("one", "two"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").write_bytes(name.encode() * 20_000)
    bacula.write_confs(
        file_sets="".join(
            f'FileSet {{ Name = {name}; Include {{ Options {{ signature = MD5 }} File = "{tree / name}" }} }}\n'
            for name in ("one", "two")
        ),
        jobs="Job { Name = Save; JobDefs = Common; FileSet = one }\n"
        "Job {\nName = More; JobDefs = Common; FileSet = two\nStorage = other\n}\n"
        "Job { Name = Check; JobDefs = Common; FileSet = one; Type = Verify; Level = VolumeToCatalog; Verify Job = Save }",
    )
    other = bacula.add_storage("other", storage)
    conf = bacula.conf("dir").read_text()
    client = f"Client {{\n  Name = {bacula.client}\n"
    assert client in conf
    bacula.conf("dir").write_text(conf.replace(client, f"{client}  SD Calls Client = yes\n") + other)
    bacula.make_catalog()


@pytest.mark.parametrize("daemon", BOTH)
def test_jobs_of_all_kinds_with_storage_daemons_that_call(
    tmp_path: Path, daemon: Callable[[Bacula], AbstractContextManager[object]], release: Release
) -> None:
    tree = tmp_path / "tree"
    with Bacula(tmp_path, release=release) as bacula:
        prepare(bacula, tree, "")
        bacula.start("sd", "other", "dir")
        with daemon(bacula):
            first, second = saved(bacula, "Save") + saved(bacula, "More")
            (check,) = run(bacula, "Check")
            assert status_of(bacula, check) == "T"
            restoring = restore(bacula, f"{first},{second}")
            assert status_of(bacula, restoring) == "T", bacula.messages()
            back = bacula.root / "restored" / tree.relative_to("/")
            assert shown(back / "one") == shown(tree / "one")
            assert shown(back / "two") == shown(tree / "two")
            assert sum("Ready to read from volume" in line for line in report(bacula, restoring)) == 2, "two rounds"


@pytest.mark.parametrize("daemon", BOTH)
@pytest.mark.parametrize("theirs", ["sd", "other"])
def test_tls_begins_with_a_storage_daemon_that_calls_and_whose_certificate_names_it(
    tmp_path: Path, theirs: str, daemon: Callable[[Bacula], AbstractContextManager[object]]
) -> None:
    named = certificates(tmp_path)
    with Bacula(tmp_path) as bacula:
        prepare(
            bacula, tmp_path / "tree", f"TLS Enable = yes; TLS Require = yes; TLS Verify Peer = no; {named[theirs]}"
        )
        bacula.write_fd(f"TLS Enable = yes; {named['ours']}")
        bacula.start("other", "dir")
        with daemon(bacula):
            (job,) = run(bacula, "More")
            assert status_of(bacula, job) == ("T" if theirs == "sd" else "f")
            if theirs == "other" and daemon is FiledDaemon:
                assert any("has a certificate of other, other.example" in line for line in report(bacula, job))
