"""Encrypted Jobs: only who has a key reads them, and who has not is told so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.system.conftest import Store, restored, some_files
from tests.system.trees import assert_same, survey
from tests.vector_keys import KEYS

PAIR, MASTER_CERTIFICATE = KEYS / "TEST-ONLY-client.pem", KEYS / "TEST-ONLY-master.crt"
MASTER = KEYS / "TEST-ONLY-master.pem"


@pytest.fixture
def tree(memory: Path) -> Path:
    return some_files(memory, 5, 10_000)


@pytest.fixture
def store(memory: Path, tree: Path) -> Store:
    """A directory whose only Job is encrypted for PAIR alone."""
    store = Store(memory / "volumes")
    store.backup("full", tree, "--encrypt", PAIR)
    return store


def test_the_content_is_on_no_volume_in_clear(memory: Path, tree: Path, store: Store) -> None:
    (tree / "secret").write_text("the word that must not be found")
    store.backup("incremental", tree, "--encrypt", PAIR, "--compress", "none")
    assert b"the word that must not be found" not in (store.path / "Vol-0001").read_bytes()
    assert_same(survey(tree), restored(store, tree, memory / "r", "--keys", PAIR)[0])


@pytest.mark.parametrize("keys", [(), ("--keys", MASTER)])
def test_without_the_key_no_content_comes_back_and_the_restore_fails(
    memory: Path, tree: Path, store: Store, keys: tuple[str | Path, ...]
) -> None:
    found, ran = restored(store, tree, memory / "r", *keys, code=2)
    assert "key" in ran.err
    contents = {known.content for path, known in survey(tree).items() if known.kind == "file"}
    assert [path for path, known in found.items() if known.kind == "file" and known.content in contents] == []
    assert store("verify", *keys, code=2).err


def test_a_master_reads_what_was_encrypted_for_it_too(memory: Path, tree: Path, store: Store) -> None:
    store.backup("full", tree, "--encrypt", f"{PAIR},{MASTER_CERTIFICATE}")
    keys = f"{MASTER},{KEYS / 'TEST-ONLY-client.crt'}"
    assert_same(survey(tree), restored(store, tree, memory / "r", "--keys", keys)[0])


def test_a_signature_that_nobody_can_check_is_a_warning_where_that_is_accepted(
    memory: Path, tree: Path, store: Store
) -> None:
    store.backup("full", tree, "--encrypt", f"{PAIR},{MASTER_CERTIFICATE}")
    found, ran = restored(store, tree, memory / "r", "--keys", MASTER, "--accept-unsigned", code=3)
    assert "signatures could not be checked" in ran.err
    assert_same(survey(tree), found)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"", "nothing.pem"), (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "nothing.pem")],
)
def test_a_key_file_that_is_none_is_named_before_anything_is_saved(
    memory: Path, tree: Path, content: bytes | None, said: str
) -> None:
    path, other = memory / "nothing.pem", Store(memory / "others")
    if content is not None:
        path.write_bytes(content)
    ran = other("backup", "--encrypt", path, tree, code=(1, 2))
    assert said in ran.err
    assert str(path) in ran.err
    assert not [job for job in other.jobs() if job["status"] != "f"] if other.path.exists() else True
    assert os.path.getsize(other.path / "Vol-0001") < 1000 if (other.path / "Vol-0001").exists() else True


def test_a_certificate_alone_cannot_restore(memory: Path, tree: Path, store: Store) -> None:
    ran = store("restore", "--where", memory / "r", "--keys", KEYS / "TEST-ONLY-client.crt", code=2)
    assert "key" in ran.err
