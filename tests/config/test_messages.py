import re

import pytest

from filed.config.messages import Destination, MessageType, Target, read_messages
from filed.config.resources import Warnings
from filed.config.syntax import parse
from filed.errors import ConfigError

ALL = frozenset(MessageType) - {MessageType.DEBUG, MessageType.SAVED}


def messages(text: str, warnings: Warnings | None = None):
    (statement,) = parse("Messages {\n Name = Standard\n" + text + "\n}", "f")
    return read_messages(statement, warnings or Warnings())


def test_the_stock_destination_sends_all_but_two_kinds():
    read = messages("director = host-dir = all, !skipped, !restored")
    assert read.destinations == (
        Destination(Target.DIRECTOR, ALL - {MessageType.SKIPPED, MessageType.RESTORED}, ("host-dir",)),
    )


def test_kinds_are_added_and_taken_away_in_order():
    (one,) = messages("stdout = all, !all, info, saved, !saved, notsaved").destinations
    assert one.types == {MessageType.INFO, MessageType.NOTSAVED}


def test_addresses_are_lists_and_commands_go_to_mail_and_operator():
    warnings = Warnings()
    text = 'Mail Command = "bsmtp %r"\nconsole = all\nOperator Command = "op"\nmail on error = a@b.c, "d e" = all, !skipped\noperator = x = mount'
    mail, operator, _console = messages(text, warnings).destinations
    assert (mail.target, mail.where, mail.command) == (Target.MAIL_ON_ERROR, ("a@b.c", "d e"), "bsmtp %r")
    assert (operator.where, operator.command, operator.types) == (("x",), "op", {MessageType.MOUNT})
    (only,) = warnings.texts
    assert '"Console" messages are not delivered: no console connects' in only


def test_a_mail_without_its_command_is_warned_about():
    warnings = Warnings()
    messages("mail = a@b.c = all\noperator = d@e.f = all", warnings)
    assert ['no "Mail Command" line' in warnings.texts[0], 'no "Operator Command" line' in warnings.texts[1]] == [
        True
    ] * 2


def test_a_file_gets_what_it_is_named_for():
    (one,) = messages('append = "/var/log/x y" = all, saved').destinations
    assert (one.target, one.where, MessageType.SAVED in one.types) == (Target.APPEND, ("/var/log/x y",), True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("director = d = fata", '"fata" is not a kind of message; did you mean "fatal"?'),
        ("director = all", "Director = address = all, !skipped"),
        ("stdout = ", "names no kind of message"),
        ("pigeon = all", '"pigeon" is not a directive of Messages'),
    ],
)
def test_a_bad_line_is_told(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        messages(text)
