"""What `filed backup` writes, read by Debian's Bacula: bls, bextract, bscan, and a restore by the real daemons."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.cli.main import run
from tests.live.bacula import Bacula
from tests.live.releases import Release
from tests.live.test_bacula_tools import manifest

pytestmark = pytest.mark.live

VARIANTS = [
    ["--compress", "none", "--digest", "none", "--no-sparse"],
    ["--compress", "none", "--digest", "sha256"],
    ["--compress", "gzip1", "--digest", "md5"],
    ["--compress", "gzip9", "--digest", "sha1", "--no-sparse"],
    ["--compress", "lzo", "--digest", "sha512"],
    ["--compress", "lzo", "--no-sparse"],
    ["--max-volume-bytes", "200000"],
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Sizes around a chunk, holes, links of each kind, odd names and modes."""
    top = tmp_path / "tree"
    (top / "sub" / "empty").mkdir(parents=True)
    for size in (0, 1, 4096, 65527, 65528, 65529, 65535, 65536, 65537, 300_000):
        (top / f"random{size}").write_bytes(os.urandom(size))
        (top / f"text{size}").write_bytes(b"the same line again\n" * (size // 20))
    with (top / "holes").open("wb") as file:
        file.write(b"begin")
        file.seek(1_000_000)
        file.write(b"middle")
        file.truncate(3_000_000)
    (top / "sub" / "n\u00e4me with blanks").write_text("text\n")
    (top / os.fsdecode(b"sub/not \xff UTF-8\nand two lines")).write_text("odd\n")
    os.link(top / "random4096", top / "sub" / "hard")
    (top / "sub" / "soft").symlink_to("../random1")
    os.mkfifo(top / "sub" / "fifo", 0o622)
    (top / "random1").chmod(0o4711)
    (top / "sub" / "empty").chmod(0o1777)
    for number, path in enumerate(sorted(top.rglob("*"), reverse=True)):
        os.utime(path, (1_000_000_000, 1_100_000_000 + number), follow_symlinks=False)
    return top


@pytest.fixture
def bacula(tmp_path: Path, release: Release) -> Iterator[Bacula]:
    with Bacula(tmp_path, volumes=tmp_path / "volumes", release=release) as network:
        network.write_confs()
        yield network


def backup(bacula: Bacula, tree: Path, capfd: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """Save the tree. Returns the names of the Volumes the Job is on."""
    assert run(["init", "-s", str(bacula.volumes)]) == 0
    capfd.readouterr()
    assert run(["backup", "-s", str(bacula.volumes), "--json", *options, str(tree)]) == 0
    volumes: list[str] = json.loads(capfd.readouterr().out)["volumes"]
    _let_the_second_pass()
    return volumes


def _let_the_second_pass() -> None:
    """bscan takes a session (1, the second in which it was started) for its own, and stops."""
    now = int(time.time())
    while int(time.time()) == now:
        time.sleep(0.05)


def key_pair(directory: Path, name: str) -> Path:
    key, certificate, pair = (directory / f"{name}.{end}" for end in ("key", "crt", "pem"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", f"/CN={name}"]
    command += ["-addext", "subjectKeyIdentifier=hash", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    pair.write_bytes(certificate.read_bytes() + key.read_bytes())
    pair.chmod(0o600)
    return pair


@pytest.mark.parametrize("options", VARIANTS, ids=" ".join)
def test_bextract_makes_the_same_tree_of_a_backup(bacula, tree, tmp_path, capfd, options) -> None:
    volumes = backup(bacula, tree, capfd, *options)
    assert (len(volumes) > 1) == ("--max-volume-bytes" in options)
    said = bacula.bextract("|".join(volumes), tmp_path / "out")
    assert manifest(tmp_path / "out" / tree.relative_to("/")) == manifest(tree)
    assert f"{len(list(tree.rglob('*'))) + 1} files restored" in said


def test_bls_lists_the_jobs_and_files_of_a_backup_and_its_incremental(bacula, tree, capfd) -> None:
    (volume,) = backup(bacula, tree, capfd)
    (tree / "text4096").unlink()
    (tree / "sub" / "new").write_text("new\n")
    assert backup(bacula, tree, capfd, "--level", "incremental") == [volume]
    jobs = bacula.bls(volume, "-j")
    assert jobs.count("Begin Job Session Record") == 2
    assert jobs.count("End Job Session Record") == 2
    assert "Level=I" in jobs
    files = bacula.bls(volume)
    assert str(tree / "sub" / "new") in files
    assert "Error" not in files


def test_bscan_and_the_real_daemons_restore_a_backup(bacula, tree, tmp_path, capfd) -> None:
    (volume,) = backup(bacula, tree, capfd, "--compress", "gzip6", "--digest", "md5")
    bacula.make_catalog()
    bacula.bscan(volume, "-s", "-m")
    bacula.start("sd", "fd", "dir")
    where = tmp_path / "out"
    bacula.console(f"restore jobid=1 client=t-fd where={where} all done yes", "wait", "messages")
    assert "Restore OK" in bacula.messages(), bacula.messages()
    assert manifest(where / tree.relative_to("/")) == manifest(tree)


def test_the_real_file_daemon_decrypts_a_backup_and_finds_its_signatures_right(bacula, tree, tmp_path, capfd) -> None:
    pair, master = key_pair(tmp_path, "client"), key_pair(tmp_path, "master")
    certificate = master.with_suffix(".crt")
    options = ("--compress", "gzip6", "--digest", "sha1", "--encrypt", f"{pair},{certificate}")
    (volume,) = backup(bacula, tree, capfd, *options)
    bacula.write_confs(
        client=f'  PKI Signatures = yes\n  PKI Encryption = yes\n  PKI Keypair = "{pair}"\n'
        f'  PKI Master Key = "{certificate}"'
    )
    bacula.make_catalog()
    bacula.bscan(volume, "-s", "-m")
    bacula.start("sd", "fd", "dir")
    where = tmp_path / "out"
    bacula.console(f"restore jobid=1 client=t-fd where={where} all done yes", "wait", "messages")
    assert "Restore OK" in bacula.messages(), bacula.messages()
    assert manifest(where / tree.relative_to("/")) == manifest(tree)


def test_filed_restores_what_the_real_daemons_saved(bacula, tree, tmp_path, capfd) -> None:
    bacula.write_confs(
        file_sets=f"FileSet {{ Name = All; Include {{ Options {{ signature = SHA256; compression = GZIP6; sparse = yes;"
        f' aclsupport = yes; xattrsupport = yes }}; File = "{tree}" }} }}',
        jobs="Job { Name = Save; JobDefs = Common; FileSet = All; Accurate = yes }",
    )
    bacula.make_catalog()
    bacula.start("sd", "fd", "dir")
    bacula.console("run job=Save yes", "wait", "messages")
    before = manifest(tree)
    (tree / "text4096").unlink()
    (tree / "sub" / "new").write_text("new\n")
    bacula.console("run job=Save level=Incremental yes", "wait", "messages")
    assert bacula.messages().count("Backup OK") == 2, bacula.messages()
    bacula.stop("dir", "fd", "sd")
    volumes = str(bacula.volumes)
    assert run(["catalog", "rebuild", "-s", volumes]) == 0
    for job, wanted in (("1", before), ("2", manifest(tree))):
        where = tmp_path / f"out{job}"
        assert run(["restore", "-s", volumes, job, "--where", str(where)]) == 0
        assert manifest(where / tree.relative_to("/")) == wanted
    assert run(["verify", "-s", volumes]) == 0
