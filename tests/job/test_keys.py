"""A Job's key files."""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.errors import ConfigError
from filed.job.description import KeyFiles, Places
from filed.job.keys import keyring, load_keys, why_no_backup
from filed.pipeline import Cipher, Keyring, SignatureDigest
from filed.pipeline.new_key import new_pair
from tests.vector_keys import KEYS

PAIR, MASTER = KEYS / "TEST-ONLY-client.pem", KEYS / "TEST-ONLY-master.crt"


def test_without_files_there_are_no_keys() -> None:
    assert load_keys(None) is None
    assert keyring(None) == Keyring()


def test_a_backup_signs_with_the_pair_and_encrypts_for_it_and_each_master() -> None:
    keys = load_keys(KeyFiles(PAIR, masters=(MASTER,), cipher="AES256", digest="sha1"))
    assert keys is not None
    assert (keys.cipher, keys.digest, keys.encrypt) == (Cipher.AES256, SignatureDigest.SHA1, True)
    assert len(keys.recipients) == 2


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (KeyFiles(PAIR, cipher="rot13"), "PKI Cipher: 'rot13' is none of aes128"),
        (KeyFiles(PAIR, digest="crc32"), "PKI Digest: 'crc32' is none of"),
        (KeyFiles(KEYS / "nowhere.pem"), "nowhere.pem"),
        (KeyFiles(MASTER), "TEST-ONLY-master.crt"),  # a certificate without its private key
        (KeyFiles(PAIR, masters=(Path("/etc/passwd"),)), "/etc/passwd"),
    ],
)
def test_a_file_or_a_name_that_is_no_use_is_named(files: KeyFiles, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_keys(files)


def test_a_short_key_is_for_restores_alone(tmp_path: Path) -> None:
    pair, certificate = new_pair("old", 1024)
    (tmp_path / "old.pem").write_bytes(pair)
    (tmp_path / "old.pem").chmod(0o600)
    (tmp_path / "old.crt").write_bytes(certificate)
    for files, at_fault in (
        (KeyFiles(tmp_path / "old.pem"), "old.pem"),
        (KeyFiles(PAIR, masters=(tmp_path / "old.crt",)), "old.crt"),
    ):
        with pytest.raises(ConfigError, match=rf"{at_fault}: its RSA key has 1024 bits"):
            load_keys(files)
        assert "1024 bits" in why_no_backup(files)
        assert keyring(files).pairs
    assert why_no_backup(KeyFiles(PAIR)) == why_no_backup(None) == ""


def test_what_one_pair_encrypted_a_restore_with_another_cannot_read(jobs, tmp_path: Path) -> None:
    """The whole way: what is signed and encrypted comes back with the pair, and is counted as errors without."""
    import dataclasses

    from filed.catalog import Level
    from filed.fileset import FileSet, Include, Options, Signature
    from filed.job.description import BackupJob, RestoreJob
    from tests.system_agents.jobs import line

    (tmp_path / "secret").write_text("in the clear?" * 100)
    fileset = FileSet(includes=(Include((Options(signature=Signature.MD5),), (str(tmp_path / "secret").encode(),)),))
    setup = jobs.setup(line("filesystem"))
    saved = jobs.run(BackupJob(Places.within(jobs.volumes), "K", "c", Level.FULL, fileset, setup, keys=KeyFiles(PAIR)))
    assert saved.outcome.status.value == "T"
    assert b"in the clear?" not in (jobs.volumes / "Vol-0001").read_bytes()
    back = RestoreJob(Places.within(jobs.volumes), 1, tmp_path / "r", setup, keys=KeyFiles(PAIR))
    assert jobs.run(back).outcome.status.value == "T"
    assert (tmp_path / "r" / str(tmp_path / "secret").lstrip("/")).read_text().startswith("in the clear?")
    blind = jobs.run(dataclasses.replace(back, keys=None, where=tmp_path / "r2"))
    assert blind.outcome.status.value == "E"
    assert blind.outcome.totals.errors == 1
