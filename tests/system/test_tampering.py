"""Volumes that somebody changed: what was signed is still proved, or it is an error. See docs/security.md."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filed.volume import Record
from filed.wire.attributes import FileType, decode_stat, encode_stat, pack_attributes, parse_attributes
from filed.wire.stream import DATA_STREAMS, Stream, stream_type
from filed.wire.xattr import pack_xattrs
from tests.fuzz.tampered import sessions, tell_where, write
from tests.system.conftest import Store, restored, some_files
from tests.system.program import Ran
from tests.system.tampering import Entry, record, tamper
from tests.system.trees import Directory, File, HardLink, plant, survey
from tests.vector_keys import KEYS

PAIR, OTHER = KEYS / "TEST-ONLY-client.pem", KEYS / "TEST-ONLY-master.pem"
FORGED = b"what the attacker wants\n"
PROOFS = {Stream.ENCRYPTED_SESSION_DATA, Stream.SIGNED_DIGEST}


@pytest.fixture
def tree(memory: Path) -> Path:
    return some_files(memory, 3, 10_000)


@pytest.fixture
def store(memory: Path, tree: Path) -> Store:
    store = Store(memory / "volumes")
    store.backup("full", tree, "--encrypt", PAIR)
    return store


def stripped(entry: Entry) -> Iterator[Record]:
    """Plain content with a fresh digest in place of session, cipher text, signature and digest."""
    session, file_index = entry[0].session, entry[0].file_index
    forged = False
    for one in entry:
        kind = stream_type(one.stream)
        if kind in DATA_STREAMS:
            if not forged:
                yield record(session, file_index, Stream.FILE_DATA, FORGED)
            forged = True
        elif kind == Stream.SHA256_DIGEST:
            yield record(session, file_index, kind, hashlib.sha256(FORGED if forged else b"").digest())
        elif kind not in PROOFS:
            yield one


def rearranged(entry: Entry) -> Iterator[Record]:
    """The bytes that were signed, each at an address that the attacker chose."""
    at = 0
    for one in entry:
        kind = stream_type(one.stream)
        if kind == Stream.UNIX_ATTRIBUTES:
            yield with_stat(one, data_stream=int(Stream.SPARSE_DATA))
        elif kind == Stream.FILE_DATA:
            for byte in bytes(one.data):
                at = (at + 7919) % 10_007
                yield record(one.session, one.file_index, Stream.SPARSE_DATA, at.to_bytes(8, "big") + bytes((byte,)))
        else:
            yield one


def with_stat(one: Record, **changed: int) -> Record:
    """An attributes record whose <stat> has other numbers."""
    attributes = parse_attributes(one.data)
    lstat = encode_stat(decode_stat(attributes.lstat)._replace(**changed))
    return record(one.session, one.file_index, one.stream, pack_attributes(*attributes._replace(lstat=lstat)))


def unsigned(entry: Entry) -> Iterator[Record]:
    """The signatures are gone, the cipher text is as it was."""
    return (one for one in entry if stream_type(one.stream) != Stream.SIGNED_DIGEST)


def emptied(entry: Entry) -> Iterator[Record]:
    """Neither content nor proofs: files that were always empty, as far as anybody can see."""
    for one in entry:
        kind = stream_type(one.stream)
        if kind == Stream.SHA256_DIGEST:
            yield record(one.session, one.file_index, kind, hashlib.sha256(b"").digest())
        elif kind not in DATA_STREAMS | PROOFS:
            yield one


@pytest.mark.parametrize("change", [stripped, unsigned, emptied])
def test_content_without_its_signature_is_an_error_of_restore_and_verify(
    memory: Path, tree: Path, store: Store, change
) -> None:
    tamper(store.path / "Vol-0001", change)
    store("catalog", "rebuild")
    found, ran = restored(store, tree, memory / "r", "--keys", PAIR, code=2)
    assert "nothing proves who saved it: it has no signature" in ran.err
    named = {path for path, known in found.items() if known.kind == "file" and not path.endswith(b".corrupt")}
    assert not named
    verified: Ran = store("verify", "--keys", PAIR, code=2)
    assert "nothing proves who saved it" in verified.err


def test_signed_bytes_in_another_order_are_an_error(memory: Path) -> None:
    tree = some_files(memory, 1, 100)
    store = Store(memory / "volumes")
    conf = memory / "signs.conf"
    conf.write_text(
        f"FileDaemon {{ Name = fd; PKI Signatures = yes; PKI Keypair = {PAIR} }}\n"
        f"Storage {{ Name = Disk; Archive Device = {store.path} }}\n"
        "Job { Name = All; FileSet = All; Storage = Disk; Level = Full }\n"
        f"FileSet {{ Name = All; Include {{ File = {tree} }} }}\n"
    )
    conf.chmod(0o600)
    store("backup", "-c", conf, "--job", "All")
    tamper(store.path / "Vol-0001", rearranged)
    store("catalog", "rebuild")
    _, ran = restored(store, tree, memory / "r", "-c", conf, code=2)
    assert "nothing proves where its parts belong" in ran.err
    assert [path.name for path in (memory / "r").rglob("*") if path.is_file() and path.suffix != ".corrupt"] == []
    assert "nothing proves where its parts belong" in store("verify", "-c", conf, code=2).err


def test_a_key_that_signed_nothing_here_proves_nothing(memory: Path, tree: Path, store: Store) -> None:
    store.backup("full", tree, "--encrypt", f"{PAIR},{KEYS / 'TEST-ONLY-master.crt'}")
    _, ran = restored(store, tree, memory / "r", "--keys", OTHER, code=2)
    assert "nobody whose certificate was given signed it" in ran.err


def test_jobs_older_than_the_keys_come_back_when_that_is_said(memory: Path, tree: Path) -> None:
    store = Store(memory / "volumes")
    store.backup("full", tree)
    _, ran = restored(store, tree, memory / "refused", "--keys", PAIR, code=2)
    assert "nothing proves who saved it" in ran.err
    _, ran = restored(store, tree, memory / "r", "--keys", PAIR, "--accept-unsigned", code=3)
    assert "files without a signature are taken as they are" in ran.err
    assert "--accept-unsigned needs keys" in store("restore", "--where", memory / "x", "--accept-unsigned", code=1).err


def test_a_conf_that_encrypts_refuses_signed_content_in_the_clear(memory: Path, tree: Path) -> None:
    store = Store(memory / "volumes")

    def conf(encryption: str, name: str, more: str = "") -> Path:
        path = memory / name
        path.write_text(
            f"FileDaemon {{ Name = fd; PKI Signatures = yes; PKI Encryption = {encryption}; PKI Keypair = {PAIR}; {more} }}\n"
            f"Storage {{ Name = Disk; Archive Device = {store.path} }}\n"
            "Job { Name = All; FileSet = All; Storage = Disk; Level = Full }\n"
            f"FileSet {{ Name = All; Include {{ File = {tree} }} }}\n"
        )
        path.chmod(0o600)
        return path

    store("backup", "-c", conf("no", "signs.conf"), "--job", "All")
    restored(store, tree, memory / "r", "-c", conf("no", "signs.conf"))
    _, ran = restored(store, tree, memory / "refused", "-c", conf("yes", "encrypts.conf"), code=2)
    assert "stored in the clear" in ran.err
    restored(store, tree, memory / "taken", "-c", conf("yes", "takes.conf", "PKI Accept Unsigned = yes"))


def forged(entry: Entry) -> Iterator[Record]:
    """Other content, with a digest of its own."""
    for one in entry:
        kind = stream_type(one.stream)
        if kind in DATA_STREAMS:
            yield record(one.session, one.file_index, Stream.SPARSE_DATA, bytes(8) + FORGED)
        elif kind == Stream.SHA256_DIGEST:
            yield record(one.session, one.file_index, kind, hashlib.sha256(FORGED).digest())
        else:
            yield one


def without_holes(entry: Entry) -> Iterator[Record]:
    """The same content, and the same digest, in records that say nothing of where each part belongs."""
    for one in entry:
        if stream_type(one.stream) == Stream.SPARSE_DATA:
            yield record(one.session, one.file_index, Stream.FILE_DATA, bytes(one.data)[8:])
        else:
            yield one


def without_digest(entry: Entry) -> Iterator[Record]:
    """Other content, and no digest."""
    return (one for one in forged(entry) if one.stream != Stream.SHA256_DIGEST)


def changed(old: bytes, new: bytes) -> Callable[[Entry], Iterator[Record]]:
    """In attributes records, `old` is `new`."""

    def change(entry: Entry) -> Iterator[Record]:
        for one in entry:
            data = bytes(one.data)
            if one.stream == Stream.UNIX_ATTRIBUTES and old in data:
                yield record(one.session, one.file_index, one.stream, data.replace(old, new))
            else:
                yield one

    return change


def with_an_attribute(entry: Entry) -> Iterator[Record]:
    """One more extended attribute: it could be a capability."""
    for one in entry:
        yield one
        if one.stream == Stream.UNIX_ATTRIBUTES:
            yield record(one.session, one.file_index, Stream.XATTR_LINUX, pack_xattrs([(b"user.evil", b"1")]))


def set_uid(entry: Entry) -> Iterator[Record]:
    """Modes of files get a set-uid bit."""
    for one in entry:
        if one.stream != Stream.UNIX_ATTRIBUTES or (attributes := parse_attributes(one.data)).type != FileType.REGULAR:
            yield one
            continue
        yield with_stat(one, mode=decode_stat(attributes.lstat).mode | 0o4000)


@pytest.fixture
def plain(memory: Path) -> tuple[Path, Store]:
    """A tree of small and of large files, and a Full of it that nobody signed."""
    tree = some_files(memory, 2, 300_000)
    store = Store(memory / "plain")
    store.backup("full", tree, "--compress", "none")
    return tree, store


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (forged, "its digest is not the one in the catalog"),
        (without_digest, "its digest is not the one in the catalog"),
        (without_holes, "its data is of another kind than it was saved with"),
        (with_an_attribute, "its ACLs or extended attributes are not those in the catalog"),
        (set_uid, "is not what the catalog has there"),
        (changed(b"/after/small 1\0", b"/after/SMALL 1\0"), "is not what the catalog has there"),
        (changed(b"/d/file 1\0", b"/d/FILE 1\0"), "is not what the catalog has there"),
    ],
)
def test_a_volume_that_differs_from_its_catalog_is_an_error(
    memory: Path, plain: tuple[Path, Store], change: Callable[[Entry], Iterator[Record]], said: str
) -> None:
    tree, store = plain
    tamper(store.path / "Vol-0001", change)
    found, ran = restored(store, tree, memory / "r", code=2)
    assert said in ran.err
    before = survey(tree)
    files = {path: known for path, known in found.items() if known.kind == "file" and not path.endswith(b".corrupt")}
    assert {path: known.content for path, known in files.items()}.items() <= {
        path: known.content for path, known in before.items()
    }.items()
    assert all(not known.mode & 0o4000 for known in files.values())
    assert said in store("verify", code=2).err


def test_a_renamed_record_brings_no_path_that_nobody_asked_for(memory: Path, plain: tuple[Path, Store]) -> None:
    tree, store = plain
    tamper(store.path / "Vol-0001", changed(b"/after/small 1\0", b"/after/other 1\0"))
    ran = store("restore", "latest", tree / "after" / "small 1", "--where", memory / "r", code=2)
    assert "is not what the catalog has there" in ran.err
    assert [path.name for path in (memory / "r").rglob("*") if path.is_file()] == []


def test_entries_in_another_order_are_found_by_a_verify(memory: Path) -> None:
    tree = plant(memory / "tree", Directory(entries={b"first": File(b"one file"), b"second": HardLink(b"first")}))
    store = Store(memory / "volumes")
    store.backup("full", tree)
    runs = sessions(store.path / "Vol-0001")
    runs[0].entries.reverse()
    write(store.path / "Vol-0001", runs)
    assert "lies behind" in store("verify", code=2).err
    assert "its first name is not there" in store("restore", "--where", memory / "r", code=2).err


def test_an_entry_under_a_number_that_no_catalog_has_is_found_by_a_verify(memory: Path) -> None:
    tree = plant(memory / "tree", Directory(entries={b"file": File(b"content")}))
    store = Store(memory / "volumes")
    store.backup("full", tree)
    runs = sessions(store.path / "Vol-0001")
    runs[0].entries[1] = [(1000, stream, data) for _, stream, data in runs[0].entries[1]]
    runs[0].entries.append(runs[0].entries.pop(1))
    write(store.path / "Vol-0001", runs)
    assert "1 entries of the catalog are not on its Volumes" in store("verify", code=2).err
    assert "it is not on the Volumes of JobId 1" in store("restore", "--where", memory / "r", code=2).err


@pytest.mark.parametrize("size", [10, 300_000])
def test_an_entry_that_comes_again_is_an_error(memory: Path, size: int) -> None:
    tree = plant(memory / "tree", Directory(entries={b"first": File(bytes(size)), b"second": HardLink(b"first")}))
    store = Store(memory / "volumes")
    store.backup("full", tree)
    runs = sessions(store.path / "Vol-0001")
    runs[0].entries.append(next(entry for entry in runs[0].entries if b"/first" in entry[0][2]))
    places = write(store.path / "Vol-0001", runs)
    tell_where(store.path / "catalog.sqlite", places)
    assert "is there twice" in store("restore", "--where", memory / "r", code=2).err
    assert "lies behind" in store("verify", code=2).err
