import re
from enum import StrEnum

import pytest

from filed.config.resources import Block, Warnings
from filed.config.syntax import parse
from filed.errors import ConfigError


class Colour(StrEnum):
    RED = "red"
    BLUE = "Light Blue"


def block(text: str) -> Block:
    (statement,) = parse("A {\n" + text + "\n}", "f")
    return Block(statement, "A", Warnings())


def test_values_come_out_with_their_types():
    one = block(
        "Name = x; Port = 9102; Big = 2g; Long = 1 h 30 min; Fast = 5mb/s; On = yes; Colour = light blue\n"
        'Text = "a b"; List = a, "b c"\n List = d; Maximum Things = 3'
    )
    assert one.name() == "x"
    assert one.integer("Port", least=1, most=65535) == 9102
    assert one.size_bytes("Big") == 2 << 30
    assert one.duration_s("Long") == 5400
    assert one.speed_bytes_s("Fast") == 5_000_000
    assert one.yes("On") is True
    assert one.choice("colour", Colour, Colour.RED) is Colour.BLUE
    assert one.string("TEXT") == "a b"
    assert one.strings("List") == ("a", "b c", "d")
    assert one.integer("MaximumThings") == 3
    one.finish()
    assert one.warnings.texts == []


def test_what_is_missing_has_its_default():
    one = block("")
    assert (one.string("A", "x"), one.integer("B", 7), one.yes("C", default=True), one.strings("D")) == (
        "x",
        7,
        True,
        (),
    )
    assert one.choice("E", Colour, Colour.RED) is Colour.RED
    assert one.path("F") == ""


@pytest.mark.parametrize(
    ("text", "read", "message"),
    [
        ("", lambda b: b.name(), 'f:1:1: A needs a "Name" line'),
        ("Name = ", lambda b: b.name(), 'f:2:1: "Name" is empty'),
        (f"Name = {'x' * 128}", lambda b: b.name(), "longer than 127"),
        ("Port = 70000", lambda b: b.integer("Port", most=65535), 'f:2:8: "Port": 70000 is not between 0 and 65535'),
        ("Port = 20x", lambda b: b.integer("Port"), '"20x" is not a whole number'),
        ("On = on", lambda b: b.yes("On"), '"on" is neither yes nor no'),
        ("C = green", lambda b: b.choice("C", Colour, Colour.RED), '"green" is not one of red, Light Blue'),
        ("X = a\nX = b", lambda b: b.string("X"), 'f:3:1: "X" stands twice in A; the first is in line 2'),
        ("X { }", lambda b: b.string("X"), 'f:2:1: "X" needs an "=" and a value'),
        ("X = 1", lambda b: b.blocks("X"), '"X" needs a block in braces'),
        ("X = a = b", lambda b: b.strings("X"), 'an "=" cannot stand in the list'),
        ("P = ''", lambda b: b.path("Q", required=True), 'A needs a "Q" line'),
    ],
)
def test_a_bad_value_is_told_with_its_place(text, read, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        read(block(text))


def test_of_numbers_the_last_line_holds_and_a_warning_says_so():
    one = block("X = 1\nY = no\nX = 2\ny = yes")
    assert (one.integer("X"), one.yes("Y")) == (2, True)
    assert one.warnings.texts == [
        'f:4:1: "X" stands 2 times in A; this one, the last, holds',
        'f:5:1: "Y" stands 2 times in A; this one, the last, holds',
    ]


def test_a_misspelt_directive_is_told_the_nearest():
    one = block("Maximum Concurent Jobs = 2")
    one.integer("Maximum Concurrent Jobs")
    message = 'f:2:1: "Maximum Concurent Jobs" is not a directive of A; did you mean "Maximum Concurrent Jobs"?'
    with pytest.raises(ConfigError, match=re.escape(message)):
        one.finish()


def test_underscores_in_a_name_are_a_misspelling_too():
    one = block("plugin_directory = /x")
    one.path("Plugin Directory")
    with pytest.raises(ConfigError, match='did you mean "Plugin Directory"'):
        one.finish()


def test_a_line_without_an_equals_sign_is_not_shown_for_it_may_be_a_secret():
    one = block("Password hush")
    one.string("Password")
    with pytest.raises(ConfigError, match='this is not a directive of A; did you mean "Password"') as caught:
        one.finish()
    assert "hush" not in str(caught.value)


def test_words_without_quotes_lose_their_blanks_as_in_bacula_and_it_is_said():
    one = block("Description = some text here")
    assert one.string("Description") == "sometexthere"
    assert one.warnings.texts == [
        'f:2:20: the blanks in the value of "Description" are dropped; put the value in double quotes to keep them'
    ]


def test_what_follows_a_value_is_ignored_as_in_bacula_and_it_is_said_without_showing_it():
    one = block('Password = abc==\nName = x, hush\nDir = /a b\nText = "a" b')
    assert one.string("Password") == "abc"
    assert one.name() == "x"
    assert one.path("Dir") == "/a"
    assert one.string("Text") == "a"
    assert len(one.warnings.texts) == 4
    assert all("is ignored from here" in text for text in one.warnings.texts)
    assert "hush" not in " ".join(one.warnings.texts)


def test_paths_take_the_environment(monkeypatch):
    monkeypatch.setenv("HOME", "/root/of/me")
    one = block('A = $HOME/x/\nB = "~/y"\nC = ~/1, $HOME')
    assert (one.path("A"), one.path("B"), one.paths("C")) == (
        "/root/of/me/x/",
        "/root/of/me/y",
        ("/root/of/me/1", "/root/of/me"),
    )


def test_directives_that_do_nothing_are_accepted_and_one_kind_is_told():
    one = block("Old = 1\nOther = 2")
    one.accepted("Old")
    one.unsupported("Other", "nobody needs it")
    one.finish()
    assert one.warnings.texts == ['f:3:1: "Other" has no effect: nobody needs it']
