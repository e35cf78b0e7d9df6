"""What a stranger's bytes go into, one function each: it returns, or it has found a fault of ours.

Each promises what its room promises: an error of the kinds named there and nothing else, bounded memory, and, where a value can be
written again, the same value when it is read again.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from filed.config.keys import NO_TLS, Tls
from filed.director.calling import DirectorAddress, introduce, wait_for_hello
from filed.director.connection import DirectorConnection
from filed.director.line import Line
from filed.director.session import Facts, Session
from filed.errors import (
    AuthenticationError,
    ConnectionLost,
    FiledError,
    ItemError,
    JobError,
    LocalProtocolError,
    RemoteProtocolError,
    StreamError,
    VolumeError,
)
from filed.fileset.lines import wire_lines
from filed.fileset.match import Matcher
from filed.fileset.parse import parse_lines
from filed.job.decode.attributes import entry_to_restore
from filed.job.decode.native_entries import LIBRARY
from filed.job.decode.renaming import parse_regexwhere, parse_where
from filed.job.decode.whole_entries import Kept
from filed.job.description import EstimateJob, JobDescription, NetworkRestore, NetworkVerify, StorageDaemon
from filed.job.select.accurate_entry import parse_entry
from filed.job.select.accurate_list import append_packet, packets
from filed.job.setup import default_setup
from filed.pipeline import Decoder
from filed.pipeline.compress import MAX_CHUNK_BYTES
from filed.pipeline.der import pack_session, pack_signatures, parse_session, parse_signatures
from filed.pipeline.encrypt import open_session
from filed.pipeline.keys import Keyring, load_key_pair
from filed.process.channel import Receiver
from filed.process.outcome import Outcome
from filed.storage import JobTotals
from filed.storage.daemon.append import DaemonAppendSession
from filed.storage.daemon.network_test import measured
from filed.storage.daemon.read import DaemonReadSession
from filed.storage.daemon.session import StorageAddress, greet
from filed.transport import Connection, TlsChannel, psk_client_context, psk_server_context
from filed.volume import RECORD_HEADER, Record, Run, open_volume, records_between, survey
from filed.volume import Session as VolumeSession
from filed.wire.acl import parse_acl
from filed.wire.attributes import decode_stat, pack_attributes, parse_attributes, parse_nanoseconds
from filed.wire.auth import Challenge, StartTls, TlsNeed
from filed.wire.director import BLANK
from filed.wire.director_parse import parse_command
from filed.wire.frame import MAX_PACKET_BYTES, FrameReader, More, Packet, Signal, pack_packet, pack_signal
from filed.wire.line_compression import MAX_EXPANDED_BYTES, expand_line
from filed.wire.plugin_name import parse_plugin_name
from filed.wire.reply import parse_end_job, parse_job_message
from filed.wire.restore_object import MAX_OBJECT_BYTES, parse_restore_object
from filed.wire.storage import REQUESTS, RecordHeader, parse_reply
from filed.wire.stream import Stream
from filed.wire.version import V9_6_7, V15_0_3
from filed.wire.xattr import pack_xattrs, parse_xattrs
from tests.director.talk import DIRECTOR, SECRET, hello
from tests.director.visiting import GOOD, NotingHouse, OnEvent, Told
from tests.fuzz.sentences import packets_in
from tests.job.decode.ways import OfCatalog, came, in_runs, one_by_one
from tests.vector_keys import KEYS

Target = Callable[[bytes], None]
PROGRAMS = ("RunBeforeJob", "RunAfterJob", "RunBeforeNow", "Run")
"""Commands that would run what the fuzzer thinks of."""


def records_in(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(stream, data): two bytes of stream and two of length in front of each."""
    at = 0
    while at + 4 <= len(data):
        stream, length = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        yield stream, data[at + 4 : at + 4 + length]
        at += 4 + length


def on_the_wire(said: list[Packet]) -> bytes:
    return b"".join(pack_signal(one) if isinstance(one, Signal) else pack_packet(one) for one in said)


# -- the wire ---------------------------------------------------------------------------------------------------------


def frames(data: bytes) -> None:
    """The same packets, however they are cut into pieces; and never much held."""

    def read(step: int) -> tuple[list[Packet], str]:
        reader, found = FrameReader(), list[Packet]()
        try:
            for at in range(1, len(data), step):
                reader.receive(data[at : at + step])
                while not isinstance(packet := reader.next_packet(), More):
                    assert isinstance(packet, Signal) or len(packet) <= max(MAX_PACKET_BYTES, MAX_EXPANDED_BYTES)
                    found.append(packet)
                assert reader.held <= MAX_PACKET_BYTES + step
                reader.missing  # noqa: B018  may say that the next header is wrong
        except RemoteProtocolError as error:
            return found, str(error)
        return found, ""

    whole, in_pieces = read(len(data) or 1), read(1 + data[0] if data else 1)
    assert whole == in_pieces


def line_compression(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        assert len(expand_line(data)) <= MAX_EXPANDED_BYTES


def director_commands(data: bytes) -> None:
    try:
        command = parse_command(data)
    except RemoteProtocolError:
        return
    if BLANK not in data:  # where one means a blank, it is written again; where there never is one, it is not
        assert parse_command(command.format()) == command


def director_conversation(data: bytes) -> None:
    """The first bytes decide whether the Director has proved who it is."""
    ours = DirectorConnection("a-fd", {DIRECTOR.name: DIRECTOR}, 4711, 1795428868)
    if data[:1] > b"\x40":
        hello(ours)
    with contextlib.suppress(RemoteProtocolError, AuthenticationError):
        for packet in packets_in(data[1:]):
            ours.receive(packet)
            ours.to_send()


def storage_replies(data: bytes) -> None:
    for request in REQUESTS:
        made = request if isinstance(request, Signal) else request(*(7,) * len(request.__dataclass_fields__))  # type: ignore[operator, attr-defined]
        with contextlib.suppress(RemoteProtocolError):
            parse_reply(made, data)
    RecordHeader.parse(data)
    with contextlib.suppress(RemoteProtocolError):
        StartTls.parse(data)
    with contextlib.suppress(RemoteProtocolError, AuthenticationError, LocalProtocolError):
        Challenge.parse(data).response(SECRET)
    with contextlib.suppress(RemoteProtocolError):
        parse_end_job(data)
    with contextlib.suppress(RemoteProtocolError):
        parse_job_message(data, V9_6_7)


def attributes(data: bytes) -> None:
    with contextlib.suppress(StreamError, ItemError):
        found = parse_attributes(data)
        parse_nanoseconds(found.extended)
        assert parse_attributes(pack_attributes(*found)) == found
        decode_stat(found.lstat)
        entry_to_restore(found)


def job_channel(data: bytes) -> None:
    """What an agent's code could write to our parent."""
    receiver = Receiver()
    with contextlib.suppress(RemoteProtocolError):
        for event in receiver.feed(data):
            with contextlib.suppress(ValueError, TypeError, KeyError):
                Outcome.from_event(event)


def small_records(data: bytes) -> None:
    """Restore objects, plugin names, ACLs and extended attributes."""
    with contextlib.suppress(StreamError):
        assert len(parse_restore_object(data).content) <= MAX_OBJECT_BYTES
    with contextlib.suppress(StreamError):
        parse_plugin_name(data)
    with contextlib.suppress(StreamError):
        parse_acl(data, Stream.ACL_LINUX_ACCESS)
    with contextlib.suppress(StreamError):
        found = list(parse_xattrs(data))
        assert pack_xattrs(found) == data


def accurate_list(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        name, lstat, _ = parse_entry(data)
        assert name
        decode_stat(lstat)
    kept = io.BytesIO()
    append_packet(kept, data)
    kept.seek(0)
    assert list(packets(kept)) == [data]


# -- what a Job is told -------------------------------------------------------------------------------------------------


def filesets(data: bytes) -> None:
    """Lines, and behind a NUL the paths that are tried against them."""
    text, _, paths = data.partition(b"\0")
    try:
        fileset = parse_lines(text.split(b"\n")).fileset
        again = parse_lines(wire_lines(fileset)).fileset
        assert again.digest() == fileset.digest()
        matchers = [(Matcher(part), part.includes[0].files) for part in fileset.parts()]
    except (RemoteProtocolError, JobError):
        return
    for matcher, files in matchers:
        for path in paths.split(b"\n"):
            matcher.directory(path, 1, "ext4", top=path in files)
            matcher.file(path)
            matcher.directory_entry(path)


def renaming(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError, JobError):
        parse_where(data)
    with contextlib.suppress(RemoteProtocolError, JobError):
        for rewrite in parse_regexwhere(data):
            rewrite(b"/some/where/else.txt")


def session(data: bytes) -> None:
    """A whole visit of a Director that has proved who it is. Nothing of it stays behind."""
    work = _work_directory()
    with _pair() as (near, far):
        core = DirectorConnection("a-fd", {DIRECTOR.name: DIRECTOR}, 4711, 1795428868, {DIRECTOR.name: PROGRAMS})
        far.sendall(on_the_wire(_greeting()) + on_the_wire(packets_in(data)))
        far.shutdown(socket.SHUT_WR)
        line = Line(Connection(near, "a Director"), core, lambda _connection, _begins: None, lambda: False)
        facts = Facts("a-fd", "h,d,1", work, default_setup(), StorageDaemon("", 0, "", NO_TLS))
        with contextlib.suppress(FiledError):
            Session(line, NotingHouse(_a_job), facts, lambda: 1795428868.0).serve()
        line.close(politely=False)
        assert os.listdir(work) == []


def _a_job(job: JobDescription, on_event: OnEvent, wanted: Callable[[], bool]) -> Outcome:
    """What the Director hears of one: lines, and each round of a restore, while it asks for another."""
    told = Told()
    if isinstance(job, NetworkRestore):
        while not told.events or told.events[-1]["event"] == "again":
            before = len(told.events)
            on_event({"event": "round"}, told)
            if len(told.events) == before:
                break  # it left
    elif isinstance(job, EstimateJob | NetworkVerify):
        on_event({"event": "listing" if isinstance(job, EstimateJob) else "verify lines", "lines": ["a", "b"]}, told)
    wanted()
    return GOOD


def _greeting() -> list[Packet]:
    ours = DirectorConnection("a-fd", {DIRECTOR.name: DIRECTOR}, 4711, 1795428868)
    said = b"Hello Director a\x01dir calling 103\n"
    ours.receive(said)
    (challenge,) = ours.to_send()
    assert isinstance(challenge, bytes)
    theirs = Challenge.fresh(b"a-dir", 42, 1795428868, TlsNeed.NONE)
    return [said, Challenge.parse(challenge).response(SECRET), theirs.format(), b"1000 OK auth\n"]


# -- what a Storage Daemon sends ------------------------------------------------------------------------------------------


def storage_greeting(data: bytes) -> None:
    address = StorageAddress("127.0.0.1", 1, b"a.job", b"KEY", VolumeSession(1, 2), b"a-fd")
    with _answered(data) as connection, contextlib.suppress(FiledError):
        greet(connection, address, 4711, 1795428868)


def storage_greeting_15(data: bytes) -> None:
    """What it can, in clear and perhaps compressed, and the beginning of TLS with the shared key."""
    address = StorageAddress(
        "127.0.0.1", 1, b"a.job", b"KEY", VolumeSession(1, 2), b"a-fd", Tls(psk=True), version=V15_0_3
    )
    with _answered(data) as connection, contextlib.suppress(FiledError):
        greet(connection, address, 4711, 1795428868)


def shared_key(data: bytes) -> None:
    """A handshake with a peer that knows no key: as the one who is called, and as the one who calls."""
    for server, context in ((True, psk_server_context(SECRET)), (False, psk_client_context(SECRET))):
        with _answered(data) as connection:
            try:
                connection.encrypt(lambda sock: TlsChannel(sock, context, server=server, shared_key=True))  # noqa: B023
            except (AuthenticationError, ConnectionLost):
                continue
            raise AssertionError("somebody got in without the key")


def storage_append(data: bytes) -> None:
    with _answered(data) as connection, contextlib.suppress(FiledError):
        target = DaemonAppendSession(connection, VolumeSession(1, 2), 5)
        target.write(1, 1, b"attributes")
        target.write(1, 2, b"content" * 3000)
        target.finish(JobTotals(1, 7))


def storage_read(data: bytes) -> None:
    """The same records, in runs or not, and the same end."""

    def read(*, in_runs: bool) -> tuple[list[Record], str]:
        found: list[Record] = []
        try:
            with _answered(data) as connection:
                source = DaemonReadSession(connection, VolumeSession(1, 2), 5)
                for some in source.runs() if in_runs else source.records():
                    if isinstance(some, Run):
                        found += [Record(some.session, *one) for one in records_between(*some[1:])]
                    else:
                        assert len(some.data) <= MAX_EXPANDED_BYTES
                        found.append(some)
                source.finish()
        except FiledError as error:
            return found, str(error)
        return found, ""

    assert read(in_runs=True) == read(in_runs=False)


def network_test(data: bytes) -> None:
    """What a Storage Daemon sends while the way to it is measured; a clock that stands still."""
    with _answered(data) as connection, contextlib.suppress(FiledError):
        for line in measured(connection, 1000, 3, lambda: 0.0):
            assert len(line) < 200


def called_director(data: bytes) -> None:
    """Who listens where a Director should, and that one until it needs us."""
    for tls in (NO_TLS, Tls(psk=True)):
        address = DirectorAddress("a-dir", "127.0.0.1", 1, b"a-fd", SECRET, tls)
        with _answered(data) as connection, contextlib.suppress(FiledError):
            introduce(connection, address, 4711, 1795428868)
            wait_for_hello(connection, 20.0)


def stream_records(data: bytes) -> None:
    """One file as a Volume has it: data of all kinds, session keys, digests, signatures."""
    entry = Decoder(_keyring()).entry(1)
    with contextlib.suppress(StreamError):
        for stream, record in records_in(data):
            kind = stream & 0x7FF
            if kind == Stream.ENCRYPTED_SESSION_DATA:
                entry.session(record)
            elif kind == Stream.SIGNED_DIGEST:
                _drain(entry.finish())
                entry.verify(record)
            elif kind in (Stream.MD5_DIGEST, Stream.SHA1_DIGEST, Stream.SHA256_DIGEST, Stream.SHA512_DIGEST):
                _drain(entry.finish())
                entry.check(stream, record)
            else:
                _drain(entry.feed(stream, record))
        _drain(entry.finish())


def whole_entries(data: bytes) -> None:
    """A run of records as on a Volume: the same batches from C and from Python, known to a catalog or not."""
    records: list[Kept] = []
    at = 0
    while at + RECORD_HEADER.size <= len(data):
        number, word, length = RECORD_HEADER.unpack_from(data, at)
        at += RECORD_HEADER.size
        records.append((word, number, data[at : at + length]))
        at += length
    for catalog in (None, OfCatalog(records)):
        expected = came(one_by_one(records), None, catalog)
        assert came(one_by_one(records), LIBRARY, catalog) == expected
        assert came(in_runs(records, [3, 0, 5]), LIBRARY, catalog) == expected


def der(data: bytes) -> None:
    with contextlib.suppress(StreamError):
        cipher, iv, recipients = parse_session(data)
        assert parse_session(pack_session(cipher, iv, recipients)) == (cipher, iv, recipients)
    with contextlib.suppress(StreamError):
        signers = parse_signatures(data)
        assert parse_signatures(pack_signatures(signers)) == signers
    with contextlib.suppress(StreamError):
        open_session(data, _keyring())


def volumes(data: bytes) -> None:
    """A file that says it is a Volume: strict, and with all damage passed over."""
    with tempfile.NamedTemporaryFile(dir=_memory(), prefix="filed-fuzz-") as file:
        file.write(data)
        file.flush()
        for on_damage in (None, lambda _damage: None):
            with contextlib.suppress(VolumeError), open_volume(Path(file.name), on_damage=on_damage) as reader:
                reader.label()
                for _part in survey(reader):
                    pass
                for record in reader.records():
                    assert len(record.data) <= len(data)


# -- what they stand on ---------------------------------------------------------------------------------------------------


def _drain(pieces: Iterator[tuple[int, object]]) -> None:
    for _, content in pieces:
        assert len(content) <= MAX_CHUNK_BYTES  # type: ignore[arg-type]


@contextlib.contextmanager
def _pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        for sock in (near, far):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        yield near, far


@contextlib.contextmanager
def _answered(data: bytes) -> Iterator[Connection]:
    """A connection whose other end has said these bytes, as they are, and hangs up."""
    with _pair() as (near, far):
        far.sendall(data)
        far.shutdown(socket.SHUT_WR)
        connection = Connection(near, "a Storage Daemon")
        yield connection
        connection.close()


_keys: list[Keyring] = []


def _keyring() -> Keyring:
    if not _keys:
        pair = load_key_pair(KEYS / "TEST-ONLY-client.pem")
        _keys.append(Keyring((pair,), (pair.certificate,)))
    return _keys[0]


def _work_directory() -> Path:
    """One for all: each visit leaves it empty, and making one takes longer than many a visit."""
    if not _directories:
        _directories.append(tempfile.TemporaryDirectory(prefix="filed-fuzz-", dir=_memory()))
    return Path(_directories[0].name)


_directories: list[tempfile.TemporaryDirectory[str]] = []


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        frames,
        line_compression,
        director_commands,
        director_conversation,
        storage_replies,
        attributes,
        job_channel,
        small_records,
        accurate_list,
        filesets,
        renaming,
        session,
        storage_greeting,
        storage_greeting_15,
        shared_key,
        storage_append,
        storage_read,
        network_test,
        called_director,
        stream_records,
        whole_entries,
        der,
        volumes,
    )
}
