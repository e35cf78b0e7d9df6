from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

import pytest

from filed.config import FileDaemonConf, read_filedaemon_conf
from filed.daemon.messages import MAX_MAIL, Deliveries
from filed.director.scripts import Codes
from filed.wire.reply import MessageType

CODES = Codes({"j": "Save.1", "e": "OK, with warnings", "i": "7"})
NOON = 1_795_435_200.0


def conf(tmp_path: Path, messages: str) -> FileDaemonConf:
    path = tmp_path / "fd.conf"
    path.write_text(
        'FileDaemon { Name = a-fd; WorkingDirectory = "/var/lib" }\nDirector { Name = a-dir; Password = p }\n'
        + messages
    )
    return read_filedaemon_conf(path)


def deliveries(tmp_path: Path, destinations: str, syslog: str = "/nonexistent") -> Deliveries:
    return Deliveries(conf(tmp_path, f"Messages {{ Name = Standard\n{destinations}\n}}"), lambda: NOON, syslog)


def mailer(tmp_path: Path) -> str:
    """A command that notes its arguments and its input."""
    path = tmp_path / "mailer"
    path.write_text(
        f'#!/bin/sh\ntext=$(printf "<%s>" "$@"; echo; cat)\nprintf "%s\\n----\\n" "$text" >>"{tmp_path}/mails"\n'
    )
    path.chmod(0o755)
    return str(path)


def test_without_a_resource_everything_goes_to_the_director(tmp_path: Path) -> None:
    assert Deliveries(conf(tmp_path, "")).goes_to("a-dir", MessageType.INFO)


def test_what_the_resource_leaves_out_stays_here_but_for_errors(tmp_path: Path) -> None:
    post = deliveries(tmp_path, "director = a-dir = all, !info, !error")
    assert post.goes_to("a-dir", MessageType.WARNING)
    assert not post.goes_to("a-dir", MessageType.INFO)
    assert post.goes_to("a-dir", MessageType.ERROR)
    assert not post.goes_to("b-dir", MessageType.WARNING)


def test_a_file_begins_anew_with_each_job_and_append_goes_on(tmp_path: Path) -> None:
    for job in (1, 2):
        post = deliveries(tmp_path, f'file = "{tmp_path}/file" = all\nappend = "{tmp_path}/all" = all, !warning')
        post.deliver(MessageType.INFO, f"a-fd JobId {job}: one\n", CODES)
        post.deliver(MessageType.WARNING, f"a-fd JobId {job}: two", CODES)
    lines = (tmp_path / "file").read_text().splitlines()
    assert [line.partition(" a-fd ")[2] for line in lines] == ["JobId 2: one", "JobId 2: two"]
    assert [line[12:] for line in (tmp_path / "all").read_text().splitlines()] == [
        " a-fd JobId 1: one",
        " a-fd JobId 2: one",
    ]


def test_the_streams_of_the_daemon_get_a_line_each(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    post = deliveries(tmp_path, "stdout = all, !error\nstderr = error")
    post.deliver(MessageType.INFO, "good", CODES)
    post.deliver(MessageType.ERROR, "n\udcffame is bad", CODES)
    out, err = capfd.readouterr()
    assert (out.endswith(" good\n"), err.endswith(" n\\udcffame is bad\n")) == (True, True)


def test_the_system_s_log_gets_its_priorities(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        post = deliveries(tmp_path, "syslog = all", str(tmp_path / "log"))
        for kind in (MessageType.INFO, MessageType.FATAL):
            post.deliver(kind, "a\nb", CODES)
        assert [log.recv(100), log.recv(100)] == [b"<30>filed: a\\nb\0", b"<26>filed: a\\nb\0"]


def test_an_operator_is_told_each_message_and_a_mail_is_one(tmp_path: Path) -> None:
    command = mailer(tmp_path)
    post = deliveries(
        tmp_path,
        f'Operator Command = "{command} op %r"\nMail Command = "{command} -s \'%j: %e\' %r"\n'
        "operator = o@x = warning\nmail = a@x, b@x = all\nmail on error = never@x = all\nmail on success = s@x = info",
    )
    post.deliver(MessageType.INFO, "one", CODES)
    post.deliver(MessageType.WARNING, "two", CODES)
    post.over(CODES, good=True)
    post.over(CODES, good=True)
    mails = (tmp_path / "mails").read_text().split("----\n")
    shown = [[line if line.startswith("<") else line[-3:] for line in mail.splitlines()] for mail in mails]
    assert sorted(shown) == [
        [],
        ["<-s><Save.1: OK, with warnings><a@x><b@x>", "one", "two"],
        ["<-s><Save.1: OK, with warnings><s@x>", "one"],
        ["<op><o@x>", "two"],
    ]


def test_a_bad_job_is_mailed_to_those_who_want_to_know(tmp_path: Path) -> None:
    command = mailer(tmp_path)
    post = deliveries(
        tmp_path, f'Mail Command = "{command} %r"\nmail on error = e@x = all\nmail on success = s@x = all'
    )
    post.deliver(MessageType.ERROR, "bad", CODES)
    post.over(CODES, good=False)
    assert (tmp_path / "mails").read_text().startswith("<e@x>\n")
    assert "s@x" not in (tmp_path / "mails").read_text()


def test_a_name_from_the_wire_stays_one_word(tmp_path: Path) -> None:
    post = deliveries(tmp_path, f'Operator Command = "{mailer(tmp_path)} %j"\noperator = o@x = all')
    post.deliver(MessageType.INFO, "one", Codes({"j": "x; touch /tmp/y '\"$(id)"}))
    post.over(CODES, good=True)
    assert (tmp_path / "mails").read_text().splitlines()[0] == "<x; touch /tmp/y '\"$(id)>"


def test_what_cannot_be_delivered_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    post = deliveries(
        tmp_path,
        "append = /nonexistent/log = all\nsyslog = all\nOperator Command = \"/bin/sh -c 'echo why >&2; exit 3'\"\noperator = o@x = all",
    )
    with caplog.at_level(logging.WARNING, "filed"):
        for _ in range(2):
            post.deliver(MessageType.INFO, "one", CODES)
        post.over(CODES, good=True)
    assert [record.getMessage() for record in caplog.records] == [
        "messages are lost: /nonexistent/log: No such file or directory",
        "messages are lost: /nonexistent: nobody keeps the system's log",
        "messages are lost: the command of Operator for o@x: code 3 why",
    ]


def test_an_operator_who_does_not_answer_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    script = f"read line <{tmp_path}/gate; cat >>{tmp_path}/told"
    post = deliveries(tmp_path, f"Operator Command = \"/bin/sh -c '{script}'\"\noperator = o@x = all")
    post.deliver(MessageType.INFO, "one", CODES)
    assert not (tmp_path / "told").exists()
    (tmp_path / "gate").write_text("go\n")
    post.over(CODES, good=True)
    assert (tmp_path / "told").read_text().endswith("one\n")


def test_a_mail_that_is_too_long_says_what_it_lacks(tmp_path: Path) -> None:
    post = deliveries(
        tmp_path, f'Mail Command = "{mailer(tmp_path)} %r"\nmail = all@x = all\nmail on success = w@x = warning'
    )
    for _ in range(12):
        post.deliver(MessageType.INFO, "x" * (MAX_MAIL // 10), CODES)
    post.deliver(MessageType.WARNING, "short", CODES)
    post.over(CODES, good=True)
    mails = (tmp_path / "mails").read_text().split("----\n")
    (whole,) = [mail.splitlines() for mail in mails if mail.startswith("<all@x>")]
    assert len(whole) == 11
    assert whole[-1] == "[4 more messages are not in this mail, which holds 1,000,000 characters at the most]"
    (warnings,) = [mail for mail in mails if mail.startswith("<w@x>")]
    assert warnings.endswith("short\n"), "another's length is not this one's"
