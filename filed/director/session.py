"""One Director's visit, told in order: it greets, names a Job, says what the Job needs, has it run, and is told how it ended.

A visit is one Job, or one question of a console. Answers are exact; what each command does stands in the modules of COMMANDS.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from filed.director import preparation, programs, questions, restoring, saving, verifying
from filed.director.connection import Greeted, Left, Refused
from filed.director.conversation import Asked, Conversation, Facts
from filed.director.daemon_api import DaemonApi, Ending
from filed.director.line import Line
from filed.director.status import EndedJob
from filed.errors import JobCanceled, JobError, RemoteProtocolError
from filed.process.outcome import JobStatus, Outcome, Totals
from filed.wire import director as said
from filed.wire import reply
from filed.wire.director_parse import shown
from filed.wire.frame import Signal
from filed.wire.reply import EndJob

COMMANDS: dict[type, Callable[[Conversation, Any], bool]] = {
    said.JobCommand: preparation.job,
    said.LevelCommand: preparation.level,
    said.SinceCommand: preparation.since,
    said.FileSetCommand: preparation.fileset,
    said.AccurateCommand: preparation.accurate,
    said.StorageCommand: preparation.storage,
    said.RunScriptCommand: programs.name_or_run,
    said.RunBeforeNowCommand: programs.run_before_now,
    said.BackupCommand: saving.backup,
    said.EstimateCommand: saving.estimate,
    said.VerifyCommand: verifying.verify,
    said.RestoreCommand: restoring.restore,
    said.RestoreObjectCommand: restoring.restore_object,
    said.ComponentInfoCommand: restoring.component_info,
    said.EndRestoreCommand: lambda _visit, _command: False,
    said.PluginFeaturesCommand: lambda visit, _command: visit.answer(Signal.EOD),
    said.PluginOptionsCommand: preparation.plugin_options,
    said.RestoreFileListCommand: restoring.restore_file_list,
    said.NetworkTestCommand: questions.network_test,
    said.StatisticsCommand: questions.statistics,
    said.QueryCommand: questions.query,
    said.SnapshotCommand: questions.snapshot,
    said.CapabilitiesCommand: questions.capabilities,
    said.StatusCommand: questions.status,
    said.DotStatusCommand: questions.dot_status,
    said.CancelCommand: questions.cancel,
    said.BandwidthCommand: questions.bandwidth,
    said.SetDebugCommand: questions.set_debug,
    said.SessionCommand: lambda visit, _command: visit.answer(reply.OK_SESSION),
}
"""Each returns whether the visit goes on."""


class Session:
    """See the module. now: epoch seconds."""

    def __init__(self, line: Line, house: DaemonApi, facts: Facts, now: Callable[[], float] = time.time) -> None:
        self._visit = Conversation(line, house, facts, now)

    def serve(self) -> None:
        """From the greeting to the end. Raises ConnectionLost, RemoteProtocolError, AuthenticationError for the log."""
        visit = self._visit
        greeted = visit.line.greet()
        if not isinstance(greeted, Greeted):
            raise RemoteProtocolError("a Director left during its greeting")
        visit.director, visit.version = greeted.director.name, greeted.version
        visit.house.greeted()
        try:
            self._commands_until_the_end()
        except JobCanceled:
            visit.failed = "canceled"
        except JobError as error:
            visit.fail(str(error))
        finally:
            self._end()

    def _commands_until_the_end(self) -> None:
        visit = self._visit
        while True:
            event = visit.line.next_event()
            if isinstance(event, Left):
                return
            if isinstance(event, Refused):
                if event.ends:
                    visit.failed = f"unexpected command from Director: {shown(event.packet)!r}"
                    return
                continue
            command = COMMANDS.get(type(event))
            if command is None:
                visit.line.send(reply.INVALID_COMMAND)
                visit.failed = f"{type(event).__name__} is not served"
                return
            if not command(visit, event):
                return

    def _end(self) -> None:
        """What belongs after a Job, and its end; whatever came before."""
        visit, asked = self._visit, self._visit.asked
        if asked is not None:
            asked.forget_list()
            visit.house.leave_storage()
        if asked is None or not asked.job.job_id:
            visit.line.close(politely=True)
            return
        outcome = programs.run_after(visit, asked, self._outcome_of_all())
        visit.line.send(self._end_job(outcome).format())
        visit.outcome = outcome
        self._tell_house(asked, outcome)
        try:
            visit.line.close(politely=True)
        finally:  # the Director, and who waits for his turn, need not wait for a mailer
            visit.facts.post.over(visit.codes, good=outcome.status.good)

    def _outcome_of_all(self) -> Outcome:
        visit = self._visit
        if visit.outcome is not None:
            return visit.outcome
        canceled = visit.house.ending is not Ending.NO
        status = JobStatus.CANCELED if canceled else JobStatus.ERROR
        return Outcome(status, Totals(errors=int(not visit.errors_beside)), text=visit.failed)

    def _end_job(self, outcome: Outcome) -> EndJob:
        totals = outcome.totals
        status = self._status(outcome)
        keys = self._visit.facts.keys
        return EndJob(
            JobStatus.OK if status is JobStatus.WARNINGS else status,  # warnings show as the number of errors
            totals.files + totals.deleted + totals.skipped,
            totals.read_bytes,
            self._visit.job_bytes(totals),
            totals.errors,
            encrypt=int(keys is not None and keys.encrypt),
            comm_bytes=totals.comm_bytes,
            compressed_comm_bytes=totals.compressed_comm_bytes,
        )

    def _status(self, outcome: Outcome) -> JobStatus:
        stopped = outcome.status is JobStatus.CANCELED and self._visit.house.ending is Ending.STOP
        return JobStatus.INCOMPLETE if stopped else outcome.status

    def _tell_house(self, asked: Asked, outcome: Outcome) -> None:
        visit, totals = self._visit, outcome.totals
        visit.house.ended(
            EndedJob(
                asked.job.job_id,
                asked.job.name,
                asked.level.value,
                visit.kind,
                totals.files + totals.deleted,
                visit.job_bytes(totals),
                totals.errors,
                self._status(outcome).value,
                visit.now(),
                outcome.text,
                asked.job.job,
                visit.started,
            )
        )
