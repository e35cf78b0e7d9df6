"""Every Volume of the real daemons decodes to the tree it was made from."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.pipeline.digest import Digest
from filed.pipeline.keys import Keyring, load_keyring
from filed.pipeline.plan import Plan
from filed.pipeline.reverse import Checked, Decoder, EntryDecoder
from filed.pipeline.sign import Signed
from filed.pipeline.sparse import ZEROS
from filed.pipeline.workers import Workers
from filed.volume import Assembly, Record, open_volume
from filed.wire.acl import parse_acl
from filed.wire.attributes import FileType, Stat, decode_stat, parse_attributes
from filed.wire.stream import ACL_STREAMS, ATTRIBUTE_STREAMS, DATA_STREAMS, DIGEST_STREAMS, Stream, stream_type
from filed.wire.xattr import parse_xattrs
from tests.pipeline.content import ENCRYPTING, SIGNING
from tests.vector_keys import KEYS

VECTORS = Path(__file__).parents[1] / "vectors"
INDEX: dict[str, dict[str, str]] = json.loads((VECTORS / "index.json").read_text())
CLIENT, MASTER = KEYS / "TEST-ONLY-client.pem", KEYS / "TEST-ONLY-master.pem"
TREES = [
    name for name, entry in INDEX.items() if (entry.get("source_tree") or "").endswith(".json") and "span" not in name
]
PKI = [name for name in INDEX if "pki" in name]


class File:
    """One file as decoded: its hash, and what its digest and signature said."""

    def __init__(self, file_type: int, stat: Stat, entry: EntryDecoder) -> None:
        self.type, self.stat, self.entry = file_type, stat, entry
        self.sha256 = hashlib.sha256()
        self.at = 0
        self.acl: dict[int, bytes] = {}
        self.xattrs: dict[bytes, bytes] = {}
        self.data_streams: set[int] = set()
        self.checked: Checked | None = None
        self.signed: Signed | None = None

    def take(self, pieces) -> None:
        for offset, content in pieces:
            while self.at < offset:
                hole = min(offset - self.at, len(ZEROS))
                self.sha256.update(memoryview(ZEROS)[:hole])
                self.at += hole
            self.sha256.update(content)
            self.at += len(content)


def volume_records(name: str, tmp_path: Path, assembly: Assembly | None = None) -> Iterator[Record]:
    entry = INDEX[name]
    path = VECTORS / entry["file"]
    if path.suffix == ".gz":
        path = tmp_path / name
        path.write_bytes(gzip.decompress((VECTORS / entry["file"]).read_bytes()))
    key = bytes.fromhex(entry["volume_key_hex"]) if "volume_key_hex" in entry else None
    with open_volume(path, name=name, key=key) as reader:
        yield from reader.records(assembly=assembly)


def restored(
    records: Iterator[Record], keyring: Keyring, workers: Workers | None = None
) -> dict[tuple[int, bytes], File]:
    """(number of the session, path) -> file; sessions are counted from 1."""
    decoders: dict[int, Decoder] = {}
    current: dict[int, File] = {}
    files: dict[tuple[int, bytes], File] = {}
    for record in records:
        if record.file_index < 0:
            continue
        session, number = record.session.vol_session_id, stream_type(record.stream)
        if number in ATTRIBUTE_STREAMS:
            attributes = parse_attributes(record.data)
            decoder = decoders.setdefault(session, Decoder(keyring, workers))
            file = File(attributes.type, decode_stat(attributes.lstat), decoder.entry(record.file_index))
            current[session] = files[session, attributes.path] = file
        elif number in DATA_STREAMS:
            file = current[session]
            file.data_streams.add(number)
            file.take(file.entry.feed(record.stream, record.data))
        elif number == Stream.ENCRYPTED_SESSION_DATA:
            current[session].entry.session(record.data)
        elif number in DIGEST_STREAMS:
            file = current[session]
            file.take(file.entry.finish())
            if file.type != FileType.HARD_LINK:
                file.checked = file.entry.check(record.stream, record.data)
        elif number == Stream.SIGNED_DIGEST:
            file = current[session]
            file.take(file.entry.finish())
            file.signed = file.entry.verify(record.data)
        elif number in ACL_STREAMS:
            current[session].acl[number] = parse_acl(record.data, number)
        elif number == Stream.XATTR_LINUX:
            current[session].xattrs |= dict(parse_xattrs(record.data))
    for file in files.values():
        file.take(file.entry.finish())
    number_of = {session: number for number, session in enumerate(sorted(decoders), 1)}
    return {(number_of[session], path): file for (session, path), file in files.items()}


@pytest.fixture(scope="module")
def workers():
    with Workers(2) as pool:
        yield pool


@pytest.mark.parametrize("name", TREES)
def test_a_volume_decodes_to_its_tree(name, tmp_path, workers):
    options = INDEX[name]["fileset_options"]
    signed, encrypted = "PKI" in options, "PKI Encryption" in options
    files = restored(volume_records(name, tmp_path), load_keyring([CLIENT]), workers)
    tree = json.loads((VECTORS / INDEX[name]["source_tree"]).read_text())
    found = 0
    for wanted in tree:
        file = files[1, wanted["path"].encode() + (b"/" if wanted["type"] == "dir" else b"")]
        assert file.stat.mode & 0o7777 == int(wanted["mode"], 8)
        assert (file.stat.uid, file.stat.gid, file.stat.mtime) == (wanted["uid"], wanted["gid"], wanted["mtime"])
        if wanted["type"] != "file" or file.type == FileType.HARD_LINK:
            continue
        found += 1
        assert file.stat.size == wanted["size"] == file.at == file.entry.length
        assert file.sha256.hexdigest() == wanted["sha256"]
        assert file.checked is (Checked.SAME if "signature=" in options else None)
        weak = "sha1sig" in name or "md5" in name
        assert file.signed is ((Signed.WEAK if weak else Signed.VALID) if signed else None)
        assert file.data_streams <= {file.stat.data_stream}
        assert encrypted is (file.stat.data_stream in (20, 23, 32))
    assert found


@pytest.mark.parametrize("name", PKI)
def test_both_keys_open_an_encrypted_volume(name, tmp_path):
    if "Encryption" not in INDEX[name]["fileset_options"]:
        return
    by_client, by_master = (
        {
            path: file.sha256.digest()
            for path, file in restored(volume_records(name, tmp_path), load_keyring([key])).items()
        }
        for key in (CLIENT, MASTER)
    )
    assert by_client == by_master


@pytest.mark.parametrize("name", PKI)
def test_without_the_signers_certificate_a_signature_is_from_nobody(name, tmp_path):
    files = restored(volume_records(name, tmp_path), load_keyring([MASTER]))
    assert {file.signed for file in files.values()} - {None} == {Signed.UNKNOWN_SIGNER}


def test_a_span_of_three_volumes_is_one_job(tmp_path, workers):
    assembly = Assembly()
    parts = (volume_records(f"span-003{part}", tmp_path, assembly) for part in (1, 2, 3))
    files = restored((record for part in parts for record in part), Keyring(), workers)
    (wanted,) = (
        wanted for wanted in json.loads((VECTORS / "trees/multi.json").read_text()) if wanted["type"] == "file"
    )
    file = files[1, wanted["path"].encode()]
    assert file.sha256.hexdigest() == wanted["sha256"]
    assert file.checked is Checked.SAME


def test_interleaved_jobs_come_apart(tmp_path, workers):
    files = restored(volume_records("interleaved", tmp_path), Keyring(), workers)
    assert {session for session, _ in files} == {1, 2, 3}
    assert {file.checked for file in files.values()} == {None, Checked.SAME}
    multi = [file.sha256.hexdigest() for (_, path), file in files.items() if path == b"/data/multi/m.bin"]
    (wanted,) = (
        entry["sha256"] for entry in json.loads((VECTORS / "trees/multi.json").read_text()) if "sha256" in entry
    )
    assert multi == [wanted, wanted]


def test_the_data_of_a_pipe_and_of_a_fifo(tmp_path, workers):
    (bpipe,) = restored(volume_records("bpipe", tmp_path), Keyring(), workers).values()
    numbers = b"".join(b"%d\n" % number for number in range(1, 201))
    assert bpipe.sha256.digest() == hashlib.sha256(b"hello from bpipe\n" + numbers).digest()
    assert bpipe.checked is Checked.SAME
    fifo = next(
        file
        for file in restored(volume_records("fifo", tmp_path), Keyring()).values()
        if file.type == FileType.FIFO_DATA
    )
    assert fifo.sha256.digest() == hashlib.sha256(b"".join(b"%d\n" % number for number in range(1, 51))).digest()
    assert fifo.checked is None


def test_acl_and_xattr_of_a_real_daemon(tmp_path):
    files = restored(volume_records("pkienc-aclxattr", tmp_path), load_keyring([CLIENT]))
    for wanted in json.loads((VECTORS / "trees/sample.json").read_text()):
        path = wanted["path"].encode() + (b"/" if wanted["type"] == "dir" else b"")
        xattrs = {name.encode(): bytes.fromhex(value) for name, value in wanted.get("xattr_hex", {}).items()}
        acls = {name for name in xattrs if name.startswith(b"system.posix_acl")}
        assert files[1, path].xattrs == {name: value for name, value in xattrs.items() if name not in acls}
        assert len(files[1, path].acl) == len(acls)


@pytest.mark.parametrize(
    ("name", "plan"),
    [
        ("md5", Plan(Digest.MD5)),
        ("chunks-sparsegzip", Plan(Digest.MD5, sparse=True)),
        ("pkisign", Plan(Digest.MD5, crypto=SIGNING)),
        ("pkienc", Plan(Digest.SHA1, crypto=ENCRYPTING)),
        ("pkienc-multi", Plan(Digest.MD5, sparse=True, crypto=ENCRYPTING)),
    ],
)
def test_a_plan_names_the_streams_a_real_daemon_names(name, plan, tmp_path):
    for (_, path), file in restored(volume_records(name, tmp_path), load_keyring([CLIENT])).items():
        with_data = file.type in (FileType.REGULAR, FileType.EMPTY)
        named = file.stat.data_stream
        if name == "chunks-sparsegzip":
            named -= 1  # its plan is the plain one
        assert named == (plan.data_stream if with_data else plan.plain_stream), path
