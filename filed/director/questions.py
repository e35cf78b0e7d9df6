"""What a console asks of the daemon and its running Jobs: status, cancel, bandwidth, debug."""

from __future__ import annotations

from filed.director.conversation import Conversation
from filed.director.status import HEADER, RUNNING, TERMINATED, dot_status_text, job_lines, status_text
from filed.errors import FiledError
from filed.wire import director as said
from filed.wire import reply
from filed.wire.frame import Signal


def status(visit: Conversation, _command: said.StatusCommand) -> bool:
    return visit.text(status_text(visit.house.status(), visit.version, visit.now()))


def dot_status(visit: Conversation, command: said.DotStatusCommand) -> bool:
    daemon, what = visit.house.status(), command.what
    if what in ("current", "last"):
        running = [(job.job_id, "R", job.errors) for job in daemon.running if job.job_id]
        last = [(job.job_id, job.status, job.errors) for job in daemon.ended[-1:]]
        visit.line.send(reply.OK_DOT_STATUS)
        return visit.text(job_lines(running if what == "current" else last))
    if what in (HEADER, RUNNING, TERMINATED, "statistics", "resources"):
        return visit.text(dot_status_text(daemon, visit.version, what, visit.now()))
    return visit.answer(reply.BAD_DOT_STATUS, Signal.EOD)


def network_test(visit: Conversation, command: said.NetworkTestCommand) -> bool:
    storage = visit.known.storage
    if storage is None or not storage.port:
        why = "it calls this client itself (SD Calls Client)" if storage is not None else "none was named"
        return visit.answer(
            f"2999 the way to a Storage Daemon cannot be measured: {why}\n".encode(), Signal.COMMAND_FAILED
        )
    visit.storage_called = True
    try:
        for line in visit.house.measure_network(visit.who, storage, command.size, command.packets):
            visit.line.send(line.encode())
    except FiledError as error:
        return visit.answer(f"2999 {error}\n".encode("utf-8", "surrogateescape"), Signal.COMMAND_FAILED)
    return visit.answer(Signal.COMMAND_OK)


def cancel(visit: Conversation, command: said.CancelCommand) -> bool:
    found = visit.house.cancel(command.job, stop=command.stop)
    answer = reply.marked(command.job, stop=command.stop) if found else reply.not_found(command.job)
    return visit.answer(answer, Signal.EOD)


def bandwidth(visit: Conversation, command: said.BandwidthCommand) -> bool:
    known = visit.house.set_bandwidth(command.bytes_per_second, command.job)
    return visit.answer(reply.OK_BANDWIDTH if known else reply.not_found(command.job))


def set_debug(visit: Conversation, command: said.SetDebugCommand) -> bool:
    visit.house.set_debug(command.level, command.trace)
    return visit.answer(reply.ok_debug(command.format()))
