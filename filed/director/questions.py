"""What a console asks of the daemon and its running Jobs: status, cancel, bandwidth, debug."""

from __future__ import annotations

from dataclasses import replace

from filed.director.conversation import Conversation
from filed.director.dot_status import WORDS, dot_status_text, job_lines
from filed.director.metrics import metrics_text
from filed.director.status import status_text
from filed.job.description import NetworkTest
from filed.wire import director as said
from filed.wire import reply
from filed.wire.frame import Signal
from filed.wire.storage import NO_CAPABILITIES


def status(visit: Conversation, _command: said.StatusCommand) -> bool:
    return visit.text(status_text(visit.house.status(), visit.version, visit.now()))


def dot_status(visit: Conversation, command: said.DotStatusCommand) -> bool:
    daemon, what = visit.house.status(), command.what
    if what in ("current", "last"):
        running = [(job.job_id, "R" if job.type else "C", job.errors) for job in daemon.running if job.job_id]
        last = [(job.job_id, job.status, job.errors) for job in daemon.ended[-1:]]
        visit.line.send(reply.OK_DOT_STATUS)
        return visit.text(job_lines(running if what == "current" else last))
    if what in WORDS:
        about = visit.facts.resource
        return visit.text(dot_status_text(daemon, visit.version, what, visit.now(), api=command.api, resource=about))
    return visit.answer(reply.BAD_DOT_STATUS, Signal.EOD)


def network_test(visit: Conversation, command: said.NetworkTestCommand) -> bool:
    storage = visit.known.storage
    if storage is None or not storage.port:
        why = "it calls this client itself (SD Calls Client)" if storage is not None else "none was named"
        return visit.answer(
            f"2999 the way to a Storage Daemon cannot be measured: {why}\n".encode(), Signal.COMMAND_FAILED
        )
    outcome = visit.run(NetworkTest(visit.who, visit.facts.setup, storage, command.size, command.packets))
    if not outcome.status.good:
        return visit.answer(f"2999 {outcome.text}\n".encode("utf-8", "surrogateescape"), Signal.COMMAND_FAILED)
    return visit.answer(Signal.COMMAND_OK)


def cancel(visit: Conversation, command: said.CancelCommand) -> bool:
    found = visit.house.cancel(command.job, stop=command.stop)
    answer = reply.marked(command.job, stop=command.stop) if found else reply.not_found(command.job)
    return visit.answer(answer, Signal.EOD)


def bandwidth(visit: Conversation, command: said.BandwidthCommand) -> bool:
    known = visit.house.set_bandwidth(command.bytes_per_second, command.job)
    return visit.answer(reply.OK_BANDWIDTH if known else reply.not_found(command.job))


def set_debug(visit: Conversation, command: said.SetDebugCommand) -> bool:
    """A number below 0: as it is. A hang and a crash on demand are not served, and said to be off."""
    trace = visit.house.set_debug(command.level, command.trace)
    return visit.answer(reply.ok_debug(replace(command, trace=trace, hangup=0, blowup=0).format()))


def statistics(visit: Conversation, command: said.StatisticsCommand) -> bool:
    if not command.all:
        return visit.answer(Signal.EOD)
    return visit.text(metrics_text(visit.house.status(), json_form=command.json))


def query(visit: Conversation, _command: said.QueryCommand) -> bool:
    """For a plugin that knows the parameter; agents have options, which `filed agent options` shows."""
    return visit.answer(b"error=plugin not found", Signal.EOD)


def snapshot(visit: Conversation, command: said.SnapshotCommand) -> bool:
    """There are none: what is asked of them is answered so that the Director goes on."""
    match command.what:
        case "list":
            return visit.answer(Signal.EOD)
        case "retention":
            return visit.answer(reply.OK_SNAPSHOT_RETENTION)
        case "del":
            return visit.answer(reply.no_snapshot("deleted"))
        case "query":
            return visit.answer(reply.no_snapshot("status=0 size=-1"))
    return visit.answer(reply.BAD_SNAPSHOT, Signal.EOD, goes_on=False)


def capabilities(visit: Conversation, _command: said.CapabilitiesCommand) -> bool:
    return visit.answer(NO_CAPABILITIES, Signal.COMMAND_OK)
