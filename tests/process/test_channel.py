"""The lines a job process sends to its parent."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import RemoteProtocolError
from filed.process.channel import MAX_LINE, Receiver, Sender

EVENTS = [{"event": "started", "jobid": 7}, {"event": "message", "severity": "info", "text": "a\nb \u2028 \udcff"}]


def sent(events) -> bytes:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for event in events:
            Sender(ours).send(event)
        ours.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: theirs.recv(4096), b""))


def test_events_arrive_as_they_were_sent_whole_or_byte_by_byte():
    data = sent(EVENTS)
    assert list(Receiver().feed(data)) == EVENTS
    receiver = Receiver()
    assert [event for at in range(len(data)) for event in receiver.feed(data[at : at + 1])] == EVENTS


@given(st.binary(max_size=200))
def test_any_bytes_give_events_or_a_protocol_error(data):
    try:
        for event in Receiver().feed(data):
            assert isinstance(event["event"], str)
    except RemoteProtocolError:
        pass


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory():
    with pytest.raises(RemoteProtocolError, match="without an end"):
        list(Receiver().feed(b"x" * (MAX_LINE + 1)))


def test_a_message_too_long_for_a_line_is_cut_and_still_arrives():
    (event,) = Receiver().feed(sent([{"event": "message", "severity": "error", "text": "x" * (2 * MAX_LINE)}]))
    assert event["severity"] == "error"
    assert len(event["text"]) < MAX_LINE
