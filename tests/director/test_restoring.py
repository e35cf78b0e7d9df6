from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filed.job.description import JobDescription, NetworkRestore, Replace
from filed.job.outcome import Outcome
from filed.wire import reply
from filed.wire.frame import Signal
from filed.wire.reply import EndJob
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
