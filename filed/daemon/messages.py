"""Where the messages of a Job go: to its Director, and wherever else the conf's Messages resource says.

    Director                            the Job's report; errors always, since a Director judges by them whether a Job was good
    Append, File                        a line each; File begins anew with each Job
    Syslog, Stdout, Stderr              a line each
    Operator                            the Operator Command, for each message, beside the Job
    Mail, Mail On Error, On Success     the Mail Command, once behind the Job, with all of them

A destination that fails is reported in the daemon's log, once, and costs no Job.
"""

from __future__ import annotations

import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import TextIO

from filed.config import FileDaemonConf
from filed.config.messages import BY_COMMAND, Destination, Messages, Target
from filed.daemon.commands import Commands
from filed.director.scripts import Codes
from filed.errors import printable
from filed.wire.reply import MessageType

SYSLOG = "/dev/log"
MAX_MAIL = 1_000_000  # characters of one; a Job may have any number of messages
STAMP = "%d-%b %H:%M "
_LEVELS = {
    MessageType.FATAL: "CRITICAL",
    MessageType.ERROR: "ERROR",
    MessageType.WARNING: "WARNING",
    MessageType.SECURITY: "WARNING",
}

log = logging.getLogger("filed")


class Deliveries:
    """The messages of one client's Job. now: epoch seconds.  syslog: the socket of the system's log."""

    def __init__(self, conf: FileDaemonConf, now: Callable[[], float] = time.time, syslog: str = SYSLOG) -> None:
        self._messages, self._now, self._syslog = _messages(conf), now, syslog
        self._mails: dict[int, _Mail] = {}  # by the place of their destination
        self._commands = Commands(self._tell)
        self._begun: set[str] = set()  # files
        self._failed: set[str] = set()

    def goes_to(self, director: str, kind: MessageType) -> bool:
        """Whether a type of message goes to the Director of that name. Without a Messages resource every type does."""
        if self._messages is None or kind in (MessageType.FATAL, MessageType.ERROR):
            return True
        return any(director in each.where for _, each in self._wanting(kind) if each.target is Target.DIRECTOR)

    def deliver(self, kind: MessageType, text: str, codes: Codes) -> None:
        """To everybody else. text: one message, without a time.  codes: of its Job."""
        line = time.strftime(STAMP, time.localtime(self._now())) + text.rstrip("\n")
        for number, each in self._wanting(kind):
            match each.target:
                case Target.APPEND | Target.FILE:
                    for path in each.where:
                        self._write(path, line, anew=each.target is Target.FILE)
                case Target.SYSLOG:
                    self._log(kind, text)
                case Target.STDOUT | Target.STDERR:
                    self._print(sys.stdout if each.target is Target.STDOUT else sys.stderr, line)
                case Target.OPERATOR:
                    self._run(each, line, codes)
                case Target.MAIL | Target.MAIL_ON_ERROR | Target.MAIL_ON_SUCCESS:
                    self._mails.setdefault(number, _Mail()).add(line)

    def over(self, codes: Codes, *, good: bool) -> None:
        """The Job has ended, and everybody knows: send its mails, and wait for all commands."""
        for number, mail in self._mails.items():
            assert self._messages is not None
            each = self._messages.destinations[number]
            if each.target is not (Target.MAIL_ON_SUCCESS if not good else Target.MAIL_ON_ERROR):
                self._run(each, mail.text(), codes)
        self._mails.clear()
        self._commands.finish()

    def _wanting(self, kind: MessageType) -> Iterator[tuple[int, Destination]]:
        for number, each in enumerate(self._messages.destinations if self._messages is not None else ()):
            if kind.value in each.types and (each.command or each.target not in BY_COMMAND):
                yield number, each

    def _write(self, path: str, line: str, *, anew: bool) -> None:
        mode = "w" if anew and path not in self._begun else "a"
        self._begun.add(path)
        try:
            with Path(path).open(mode, encoding="utf-8", errors="surrogateescape") as file:
                file.write(line + "\n")
        except OSError as error:
            self._tell(path, error.strerror or str(error))

    def _print(self, stream: TextIO, line: str) -> None:
        try:
            print(line.encode("utf-8", "backslashreplace").decode(), file=stream, flush=True)
        except OSError as error:
            self._tell("an output of the daemon", error.strerror or str(error))

    def _log(self, kind: MessageType, text: str) -> None:
        try:
            handler = _SystemLog(self._syslog, SysLogHandler.LOG_DAEMON)
        except OSError:
            self._tell(self._syslog, "nobody keeps the system's log")
            return
        shown = printable(text.encode("utf-8", "surrogateescape"))
        handler.handle(logging.makeLogRecord({"msg": shown, "levelname": _LEVELS.get(kind, "INFO")}))
        handler.close()
        if handler.failed:
            self._tell(self._syslog, "nobody keeps the system's log")

    def _run(self, destination: Destination, text: str, codes: Codes) -> None:
        """A command of the conf, with `text` on its input. It runs without a shell; a code never becomes two words."""
        whole = " ".join(destination.where)
        name = f"the command of {destination.target.value} for {whole}"
        more = Codes({**codes.values, "r": whole})
        try:
            words: list[str] = []
            for word in shlex.split(destination.command):
                words += destination.where if word == "%r" else [more.expand(word)]
        except ValueError as error:
            self._tell(name, str(error))
            return
        self._commands.run(name, words, (text + "\n").encode("utf-8", "surrogateescape"))

    def _tell(self, what: str, why: str) -> None:
        if what not in self._failed:
            self._failed.add(what)
            log.warning("messages are lost: %s: %s", what, why)


class _Mail:
    """The lines of one, up to MAX_MAIL characters."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = self._left_out = 0

    def add(self, line: str) -> None:
        if self._left_out or self._size + len(line) > MAX_MAIL:
            self._left_out += 1
        else:
            self._lines.append(line)
            self._size += len(line) + 1

    def text(self) -> str:
        if not self._left_out:
            return "\n".join(self._lines)
        what = (
            f"[{self._left_out:,} more messages are not in this mail, which holds {MAX_MAIL:,} characters at the most]"
        )
        return "\n".join((*self._lines, what))


class _SystemLog(SysLogHandler):
    """For one message. failed: it was not taken."""

    ident = "filed: "
    failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  of the library
        self.failed = True


def _messages(conf: FileDaemonConf) -> Messages | None:
    """The one that the FileDaemon names, else the first."""
    for each in conf.messages:
        if not conf.file_daemon.messages or each.name == conf.file_daemon.messages:
            return each
    return None
