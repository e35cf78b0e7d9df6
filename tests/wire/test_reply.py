from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import RemoteProtocolError
from filed.wire import reply
from filed.wire.reply import EndJob, JobMessage, MessageType
from filed.wire.version import V9_6_7, V15_0_3

TRANSCRIPT = Path(__file__).parents[1] / "director" / "jobs.txt"


def answered() -> list[bytes]:
    lines = [line[2:] for line in TRANSCRIPT.read_text().splitlines() if line.startswith("< ")]
    return [line.encode().decode("unicode_escape").encode("latin-1") for line in lines if not line.startswith("<-")]


def test_every_answer_of_a_real_daemon_is_one_we_can_give() -> None:
    fixed = {value for value in vars(reply).values() if isinstance(value, bytes)}
    name = "Bslow.2026-11-23_10.18.19_49"
    made = {
        reply.ok_job(V9_6_7, "x86_64-pc-linux-gnu,debian,bookworm/sid"),
        reply.ok_estimate(22, 1_548_600),
        reply.marked(name, stop=False),
        reply.ok_debug(b"setdebug=50 trace=1 hangup=0 blowup=0 options= tags=\n"),
    }
    for packet in answered():
        if packet.startswith(b"2800"):
            assert reply.parse_end_job(packet).format() == packet
        elif packet.startswith(b"Jmsg"):
            assert reply.parse_job_message(packet, V9_6_7).format(V9_6_7) == packet
        else:
            assert packet in fixed | made


def test_the_numbers_of_message_types_follow_the_version() -> None:
    message = JobMessage(7, MessageType.WARNING, 5, "a")
    assert message.format(V9_6_7) == b"Jmsg JobId=7 type=5 level=5 a\n"
    assert message.format(V15_0_3) == b"Jmsg JobId=7 type=6 level=5 a\n"


def test_a_text_says_who_speaks_and_how_bad_it_is() -> None:
    assert reply.message_text("a-fd", 7, MessageType.ERROR, "b") == "a-fd JobId 7: Error: b"
    assert reply.message_text("a-fd", 7, MessageType.INFO, "b") == "a-fd JobId 7: b"


def test_an_older_end_of_a_job_has_fewer_fields() -> None:
    packet = b"2800 End Job TermCode=84 JobFiles=1 ReadBytes=2 JobBytes=3 Errors=0\n"
    assert reply.parse_end_job(packet) == EndJob("T", 1, 2, 3)


@pytest.mark.parametrize("packet", [b"", b"2800 End Job", b"Jmsg JobId=1 type=99 level=0 x\n"])
def test_what_is_no_reply_is_the_peers_fault(packet: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        reply.parse_end_job(packet)
    with pytest.raises(RemoteProtocolError):
        reply.parse_job_message(packet, V9_6_7)


COUNT = st.integers(0, 2**60)


@given(st.builds(EndJob, st.sampled_from("TWEfAD"), COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT))
def test_an_end_of_a_job_comes_back_as_it_was(end: EndJob) -> None:
    assert reply.parse_end_job(end.format()) == end


@given(st.integers(0, 10**9), st.sampled_from(list(MessageType)), st.integers(0, 2**40), st.text("ab c\n:"))
def test_a_message_comes_back_as_it_was(job_id: int, kind: MessageType, time: int, text: str) -> None:
    message = JobMessage(job_id, kind, time, text.rstrip("\n"))
    assert reply.parse_job_message(message.format(V15_0_3), V15_0_3) == message
