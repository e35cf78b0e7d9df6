"""The real daemons, listened to: each packet is cut, each proof checked, each word of a Storage Daemon known.

The conversations in tests/wire were recorded like this.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.wire.auth import AUTH_OK, Challenge, MutualProof, Proof, secret_of
from filed.wire.frame import Packet, Signal
from filed.wire.storage import Closed, Hello, HelloAccepted, RecordHeader, StreamHeader
from tests.live.bacula import Bacula
from tests.live.recording import Conversation, Recorder

pytestmark = pytest.mark.live

CONTENTS = {
    "text": b"the same line again and again\n" * 5000,
    "empty": b"",
    "short": b"hello\n",
    "numbers": b"".join(b"%d\n" % number for number in range(40_000)),
}
FILE_DATA = 2


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bacula, list[Conversation], list[Conversation]]:
    """What was said to a File Daemon and to a Storage Daemon: a status, a backup, its restore."""
    root = tmp_path_factory.mktemp("wire")
    source = root / "source"
    source.mkdir()
    for name, content in CONTENTS.items():
        (source / name).write_bytes(content)
    with Bacula(root) as bacula:
        file_set = f'FileSet {{ Name = Source; Include {{ Options {{ signature = MD5 }} File = "{source}" }} }}'
        bacula.write_confs(file_sets=file_set, jobs="Job { Name = Save; JobDefs = Common; FileSet = Source }")
        bacula.make_catalog()
        with Recorder(bacula.ports["fd"]) as client, Recorder(bacula.ports["sd"]) as storage:
            conf = bacula.conf("dir").read_text()
            for directive, recorder, name in (("FDPort", client, "fd"), ("SDPort", storage, "sd")):
                conf = conf.replace(f"{directive} = {bacula.ports[name]}", f"{directive} = {recorder.port}")
            bacula.conf("dir").write_text(conf)
            bacula.start("sd", "fd", "dir")
            bacula.console("status client", "run job=Save yes", "wait")
            bacula.console("restore client=t-fd select all done yes", "wait")
        return bacula, client.conversations, storage.conversations


def key_of(conversations: list[Conversation], job: bytes) -> bytes:
    """The key that a Director gave for a Job's Storage Daemon."""
    for conversation in conversations:
        for _, packet in conversation.packets():
            if isinstance(packet, bytes) and packet.startswith(b"JobId=") and job in packet:
                return packet.rpartition(b"Authorization=")[2].strip()
    raise AssertionError(f"no key for {job!r}")


def check_proof(packets: list[tuple[bool, Packet]], secret: bytes) -> None:
    """As the one who was called we would have said the same, and found the same."""
    mine = [packet for caller, packet in packets if not caller]
    assert isinstance(mine[0], bytes)
    proof = MutualProof(Challenge.parse(mine[0]), secret, "the caller", challenges_first=True)
    sent = proof.begin()
    for caller, packet in packets:
        if caller and proof.state is not Proof.GIVEN:
            assert isinstance(packet, bytes)
            sent += proof.receive(packet)
    assert proof.state is Proof.GIVEN
    assert sent == mine[: len(sent)]
    assert AUTH_OK in sent


def test_a_director_proves_that_it_knows_the_password(
    heard: tuple[Bacula, list[Conversation], list[Conversation]],
) -> None:
    bacula, to_client, _ = heard
    said = [conversation.packets() for conversation in to_client if conversation.chunks]
    assert len(said) == 3
    for packets in said:
        check_proof(packets[1:], secret_of(bacula.password.encode()))


def test_what_a_storage_daemon_hears_and_says_is_known_to_the_last_byte(
    heard: tuple[Bacula, list[Conversation], list[Conversation]],
) -> None:
    _, to_client, to_storage = heard
    sessions = 0
    for conversation in to_storage:
        packets = conversation.packets()
        if not packets or not isinstance(packets[0][1], bytes) or not (hello := Hello.parse(packets[0][1])):
            continue  # the Director's
        sessions += 1
        check_proof(packets[1:], key_of(to_client, hello.job))
        texts = [packet for caller, packet in packets if not caller and isinstance(packet, bytes)]
        assert any(HelloAccepted.parse(text) for text in texts)
        (closed,) = [found for text in texts if (found := Closed.parse(text))]
        assert closed.letter == ("T" if hello.job.startswith(b"Save") else "R")
        reading = not hello.job.startswith(b"Save")
        assert contents(packets, reading=reading) == sorted(content for content in CONTENTS.values() if content)
    assert sessions == 2


def contents(packets: list[tuple[bool, Packet]], *, reading: bool) -> list[bytes]:
    """The file data that passed, file by file."""
    data = [packet for caller, packet in packets if caller is not reading]
    found: dict[int, bytes] = {}
    header: StreamHeader | RecordHeader | None = None
    for packet in data:
        if packet is Signal.EOD:
            header = None
            continue
        assert isinstance(packet, bytes) or packet is Signal.TERMINATE
        if header is None:
            parse = RecordHeader.parse if reading else StreamHeader.parse
            header = parse(packet) if isinstance(packet, bytes) else None
            continue
        assert isinstance(packet, bytes)
        if header.stream == FILE_DATA:
            found[header.file_index] = found.get(header.file_index, b"") + packet
        if reading:
            assert isinstance(header, RecordHeader)
            assert len(packet) == header.size
            header = None
    return sorted(found.values())


def test_the_real_daemons_compress_lines_both_ways(
    heard: tuple[Bacula, list[Conversation], list[Conversation]],
) -> None:
    _, _, to_storage = heard
    plain = sum(map(len, CONTENTS.values()))
    for caller in (True, False):
        (most,) = [size for c in to_storage if (size := len(c.raw(caller))) > plain // 10]
        assert most < plain


def test_a_transcript_is_written_as_tests_read_it(
    heard: tuple[Bacula, list[Conversation], list[Conversation]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.wire import transcripts

    monkeypatch.setattr(transcripts, "HERE", tmp_path)
    for conversation in heard[1]:
        (tmp_path / "again.txt").write_text(conversation.text("CALLER", "FD"))
        assert transcripts.transcript("again").lines == conversation.packets()
