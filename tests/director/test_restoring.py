from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from filed.director.restoring import MAX_OBJECTS_BYTES
from filed.errors import RemoteProtocolError
from filed.job.description import JobDescription, NetworkRestore, Replace
from filed.process.outcome import JobStatus, Outcome, Totals
from filed.wire import reply
from filed.wire.frame import Packet, Signal
from filed.wire.reply import EndJob
from filed.wire.restore_object import MAX_OBJECT_BYTES
from tests.director.visiting import GOOD, STORAGE, OnEvent, Told, Visiting


def test_a_restore_has_rounds(tmp_path: Path) -> None:
    told = Told()

    def work(_job: JobDescription, on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome:
        on_event({"event": "round"}, told)
        on_event({"event": "round"}, told)
        return GOOD

    with Visiting(tmp_path, work) as talk:
        talk.name(7)
        talk.say(STORAGE.replace(b"ssl=0\n", b"ssl=0 Authorization=ONE\n"))
        assert talk.text() == reply.OK_STORAGE
        talk.say(b"PluginFeatures\n")
        assert talk.packet() is Signal.EOD
        talk.say(b"restoreobject JobId=1 3,3,0,25,0,1,ex\n", b"name", b"abc", b"restoreobject end\n")
        assert talk.text() == reply.OK_OBJECT
        talk.say(b"component_info\n", b"line", Signal.EOD)
        assert talk.text() == reply.OK_COMPONENT_INFO
        talk.say(b"restore files=2 replace=w prelinks=0 where=/to\n")
        assert talk.text() == reply.OK_RESTORE
        assert talk.text() == reply.OK_STORAGE_END
        talk.say(STORAGE.replace(b"ssl=0\n", b"ssl=0 Authorization=TWO\n"))
        assert talk.text() == reply.OK_STORAGE
        talk.say(b"restore files=2 replace=w prelinks=0 where=/to\n")
        assert talk.text() == reply.OK_RESTORE
        assert talk.text() == reply.OK_STORAGE_END
        talk.say(b"endrestore")
        (end,) = talk.rest()
        assert end == EndJob("T", 4, 10, 10).format()
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkRestore)
    assert (job.where, job.replace, job.storage.key) == (b"/to", Replace.IFNEWER, "ONE")
    assert [(item.command, item.name, item.content) for item in job.objects] == [(b"ex", b"name", b"abc")]
    assert told.events == [
        {"event": "again", "address": "192.0.2.5", "port": 9103, "key": "TWO"},
        {"event": "done"},
    ]


def test_nonsense_between_the_rounds_breaks_the_restore_off(tmp_path: Path) -> None:
    told = Told()

    def work(_job: JobDescription, on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome:
        on_event({"event": "round"}, told)
        return GOOD

    with Visiting(tmp_path, work) as talk:
        talk.name(7)
        talk.say(STORAGE)
        talk.say(b"restore files=2 replace=w prelinks=0 where=/to\n")
        talk.sock.sendall(b"\x7f\xff\xff\xff")
        talk.rest()
    assert told.events == [{"event": "broken off"}]


@pytest.mark.parametrize("packets", [[Signal.EOD], [b"name", Signal.EOD]])
def test_a_restore_object_cut_short_ends_the_visit(tmp_path: Path, packets: list[Packet]) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"restoreobject JobId=1 3,3,0,25,0,1,ex\n", *packets)
        assert talk.rest()[-1] == EndJob("E", errors=1).format()
    assert isinstance(talk.error, RemoteProtocolError)


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (b"other memory", "incorrect header check"),
        (zlib.compress(b"state" * 1000)[:-3], "is cut short in the Director's catalog"),
        (zlib.compress(bytes(MAX_OBJECT_BYTES + 1)), "has more than 67,108,864 bytes"),
    ],
)
def test_a_restore_object_that_cannot_be_unpacked_is_left_out_whole_and_counted(
    tmp_path: Path, packed: bytes, reason: str
) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        for number, content in enumerate((packed, zlib.compress(b"abc"))):
            talk.say(b"restoreobject JobId=1 %d,3,0,25,1,%d,ex\n" % (len(content), number), b"na\nme\0", content)
        message = talk.packet()
        assert isinstance(message, bytes)
        assert b"Error: restore object na\\nme of plugin ex is left out" in message
        assert reason.encode() in message
        talk.say(b"restoreobject end\n")
        assert talk.text() == reply.OK_OBJECT
        talk.say(STORAGE)
        assert talk.text() == reply.OK_STORAGE
        talk.say(b"restore files=1 replace=w prelinks=0 where=/to\n")
        assert talk.rest()[-1] == EndJob("T", 4, 10, 10, errors=1).format()
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkRestore)
    assert [item.content for item in job.objects] == [b"abc"]


def test_a_packed_restore_object_is_given_as_it_was(tmp_path: Path) -> None:
    """With the byte behind it that some have, see wire/restore_object.py."""
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(
            STORAGE, b"restoreobject JobId=1 9,5000,0,25,1,1,ex\n", b"name", zlib.compress(b"state" * 1000) + b"\0"
        )
        talk.say(b"restore files=2 replace=w prelinks=0 where=/to\n")
        talk.rest()
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkRestore)
    assert [item.content for item in job.objects] == [b"state" * 1000]


def test_restore_objects_do_not_fill_the_memory(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(MAX_OBJECT_BYTES))
    with Visiting(tmp_path) as talk:
        talk.name(7)
        for number in range(1, MAX_OBJECTS_BYTES // MAX_OBJECT_BYTES + 2):
            talk.say(b"restoreobject JobId=1 %d,3,0,25,1,%d,ex\n" % (len(bomb), number), b"name", bomb)
        said = talk.rest()
        assert b"restore objects of a Job have more than" in said[0]  # type: ignore[operator]
        assert said[-1] == EndJob("f", errors=1).format()


def test_what_was_skipped_counts_as_handled(tmp_path: Path) -> None:
    outcome = Outcome(JobStatus.OK, Totals(files=2, skipped=3, read_bytes=7))
    with Visiting(tmp_path, lambda _job, _on_event, _wanted: outcome) as talk:
        talk.name(7)
        talk.say(STORAGE)
        assert talk.text() == reply.OK_STORAGE
        talk.say(b"restore files=5 replace=n prelinks=0 where=/to\n")
        assert talk.text() == reply.OK_RESTORE
        assert talk.rest() == [EndJob("T", 5, 7, 7).format()]
