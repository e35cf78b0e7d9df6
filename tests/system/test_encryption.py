"""Keys: made, kept to their owner, and never forgotten halfway along a chain."""

from __future__ import annotations

from pathlib import Path

from tests.system.conftest import Store, some_files
from tests.system.program import filed


def test_a_new_key_encrypts_and_reads_and_is_its_owners(store: Store, place: Path) -> None:
    key = place / "key.pem"
    filed("key", "new", "--bits", "2048", key)
    assert key.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in (place / "key.crt").read_text()
    assert "is there already; a key is never written over" in filed("key", "new", key, code=1).err
    tree = some_files(place, count=2)
    store("backup", "--encrypt", key, tree)
    assert store("restore", "--where", place / "without", code=2)
    store("restore", "--where", place / "with", "--keys", f"{key},{place / 'key.crt'}")
    key.chmod(0o644)
    said = store("restore", "--where", place / "r", "--keys", key, code=1)
    assert said.err == f"filed: {key}: others can read this private key; run: chmod 600 {key}\n"
    assert "others can read" in store("backup", "--encrypt", key, tree, code=1).err


def test_a_master_key_reads_what_another_encrypted(store: Store, place: Path) -> None:
    for name in ("key", "master"):
        filed("key", "new", "--bits", "2048", place / f"{name}.pem")
    store("backup", "--encrypt", f"{place}/key.pem,{place}/master.crt", some_files(place, count=2))
    store("restore", "--where", place / "r", "--keys", f"{place}/master.pem,{place}/key.crt")


def test_no_job_in_plain_text_builds_on_an_encrypted_one_by_mistake(store: Store, place: Path) -> None:
    key, tree = place / "key.pem", some_files(place, count=2)
    filed("key", "new", "--bits", "2048", key)
    store("backup", "--encrypt", key, tree)
    said = store("backup", "--level", "incremental", tree, code=2)
    assert "JobId 1, which this Job builds on, is encrypted, and this one would not be" in said.err
    store("backup", "--level", "incremental", "--encrypt", key, tree)
    store("catalog", "rebuild")
    assert store("backup", "--level", "differential", tree, code=2)
    store("backup", "--level", "incremental", "--plain", tree)
    store("backup", tree)
    assert [job["encrypted"] for job in store.jobs() if job["status"] == "T"] == [1, 1, 0, 0]
    assert [line.split()[-2:] for line in store("jobs").out.splitlines()][:2] == [["Enc", "Name"], ["yes", "Backup"]]


def test_the_table_of_jobs_fits_a_terminal(store: Store, place: Path) -> None:
    store("backup", some_files(place, count=3), place / "missing", code=3)
    store("backup", place / "missing", code=2)
    assert max(map(len, store("jobs").out.splitlines())) <= 80
