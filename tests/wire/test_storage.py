"""The Storage Daemon's conversation as values: there and back, as it was recorded, and as nobody should send it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import LocalProtocolError, RemoteProtocolError
from filed.wire import storage
from filed.wire.frame import Signal
from filed.wire.storage import (
    REQUESTS,
    AppendClose,
    AppendData,
    Appended,
    AppendEnd,
    AppendOpen,
    Closed,
    DataReady,
    Ended,
    Hello,
    HelloAccepted,
    Opened,
    ReadClose,
    ReadData,
    ReadOpen,
    RecordHeader,
    Refusal,
    StorageCall,
    StorageCapabilities,
    StreamHeader,
    parse_refusal,
    parse_reply,
)
from tests.wire.transcripts import transcript

LINES: list[tuple[bytes, Any]] = [
    (b"append open session\n", AppendOpen()),
    (b"append data 1\n", AppendData(1)),
    (b"append end session 1\n", AppendEnd(1)),
    (b"append close session 1\n", AppendClose(1)),
    (b"read open session = DummyVolume 13 1795428764 0 0 0 0\n", ReadOpen(13, 1795428764)),
    (b"read data 13\n", ReadData(13)),
    (b"read close session 13\n", ReadClose(13)),
    (b"3000 OK Hello 306\n", HelloAccepted(306)),
    (b"3000 OK open ticket = 1\n", Opened(1)),
    (b"3000 OK data\n", DataReady()),
    (b"3000 OK append data\n", Appended()),
    (b"3000 OK end\n", Ended()),
    (b"3000 OK close Status = 84\n", Closed(84)),
    (b"1 2 1048578", StreamHeader(1, 2, 1048578)),
    (b"rechdr 2 1795428764 1 1 89", RecordHeader(2, 1795428764, 1, 1, 89)),
    (b"Hello Bacula SD: Start Job B1.2026-11-23_10.14.28_03 214\n", Hello(b"B1.2026-11-23_10.14.28_03", 214)),
    (b"Hello Bacula SD: Start Job My\x01Job 15 tlspsk=100\n", Hello(b"My Job", 15, 100)),
]


@pytest.mark.parametrize(("line", "value"), LINES)
def test_each_line_is_one_value_and_back(line: bytes, value: Any) -> None:
    assert value.format() == line
    assert type(value).parse(line) == value
    assert type(value).parse(line.rstrip(b"\n") + b"\0") == value


@pytest.mark.parametrize(("line", "value"), LINES)
def test_a_line_with_more_or_less_is_something_else(line: bytes, value: Any) -> None:
    assert type(value).parse(line.rstrip(b"\n") + b" more") is None
    assert type(value).parse(line[2:]) is None


def test_the_recorded_conversations_follow_the_table() -> None:
    for name in ("append", "read"):
        lines = transcript(name).lines
        asked = 0
        for number, (caller, packet) in enumerate(lines):
            if not caller:
                continue
            if packet is Signal.EOD and lines[number + 1][0]:
                continue  # of a stream, not of all
            request = packet if packet is Signal.EOD else next(
                (found for kind in REQUESTS if isinstance(kind, type) and isinstance(packet, bytes)
                 and (found := kind.parse(packet)) is not None), None,
            )  # fmt: skip
            if request is not None:
                answer = lines[number + 1][1]
                assert not isinstance(parse_reply(request, answer), Refusal)  # type: ignore[arg-type]
                asked += 1
        assert asked == {"append": 5, "read": 3}[name]


def test_a_closed_session_names_its_status() -> None:
    assert Closed(84).letter == "T"
    assert Closed(0).letter == "?"


@pytest.mark.parametrize(
    "packet",
    [b"3900 Invalid command\n", b"3903 Error append data: no space", b"3999 Failed append", b"3000 error\n"],
)
def test_a_refusal_is_told_apart_from_nonsense(packet: bytes) -> None:
    assert parse_reply(AppendData(1), packet) == Refusal(packet.decode().strip())


def test_a_refusal_cannot_forge_a_line_of_a_log() -> None:
    refusal = parse_refusal(b"3903 Error\nBackup OK\x1b[2J\xff")
    assert refusal == Refusal("3903 Error Backup OK [2J\\xff")


@pytest.mark.parametrize("packet", [b"", b"3000 OK end\n", b"2000 OK\n", b"3000 OK open ticket = x\n", Signal.EOD])
def test_another_answer_is_an_error(packet: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_reply(AppendOpen(), packet)


@pytest.mark.parametrize("job", [b"", b"a\nb", b"a\0b", b"a\x01b", b"a" * 128])
def test_a_name_that_would_change_the_hello_is_our_mistake(job: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        Hello(job, 214).format()


@given(st.binary(min_size=1, max_size=127).filter(lambda job: not set(job) & set(b"\0\x01\t\n\v\f\r")))
def test_a_call_names_its_job(job: bytes) -> None:
    call = StorageCall(job, 306)
    assert StorageCall.parse(call.format()) == call
    assert StorageCall.parse(Hello(job, 214).format()) is None


def test_capabilities_are_names_and_numbers() -> None:
    packet = b"sdcaps: dedup=0 hash=1 dedup_block=65536 min_dedup_block=1024 max_dedup_block=66556\n"
    caps = StorageCapabilities.parse(packet)
    assert caps is not None
    assert caps.values[b"hash"] == 1
    assert StorageCapabilities.parse(b"auth cram-md5 <1> ssl=0\n") is None


@given(
    st.tuples(*[st.integers(0, 2**31)] * 2), st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 2), st.integers(0, 999_999)
)
def test_a_header_of_a_record_comes_back_as_it_was(session: Any, which: Any, size: int) -> None:
    header = RecordHeader(*session, *which, size)
    assert RecordHeader.parse(header.format()) == header


@given(st.binary(max_size=100), st.sampled_from([kind for kind in REQUESTS if isinstance(kind, type)]))
def test_any_bytes_are_a_reply_a_refusal_or_a_remote_protocol_error(packet: bytes, kind: Any) -> None:
    request = kind(*[1] * len(kind.__dataclass_fields__))
    with contextlib.suppress(RemoteProtocolError):
        assert isinstance(parse_reply(request, packet), (Refusal, *REQUESTS.values()))
    for name in ("RecordHeader", "Hello", "StorageCall", "StorageCapabilities", "StreamHeader"):
        getattr(storage, name).parse(packet)
