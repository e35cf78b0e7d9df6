import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.config.syntax import Kind, parse, read
from filed.errors import ConfigError

DEBIAN_CONF = Path(__file__).parent / "bacula-fd-debian.conf"


def shown(statements):
    """A tree as plain lists: [name, pieces or None, body or None]."""
    return [
        [
            each.name,
            None if each.value is None else [piece.text or piece.kind.value for piece in each.value],
            None if each.body is None else shown(each.body),
        ]
        for each in statements
    ]


def test_resources_directives_and_values():
    text = 'FileDaemon {  # me\n  Name = a-fd ; FD Port = 9102\n  TLS Allowed CN = x, "y z"\n}\n'
    assert shown(parse(text)) == [
        [
            "FileDaemon",
            None,
            [["Name", ["a-fd"], None], ["FD Port", ["9102"], None], ["TLS Allowed CN", ["x", ",", "y z"], None]],
        ]
    ]


def test_the_brace_may_stand_on_the_next_line_after_comments():
    assert shown(parse("Director # who\n# more\n\n{\n}\n")) == [["Director", None, []]]


def test_a_last_directive_needs_no_end():
    assert shown(parse("A { x = 1 }")) == [["A", None, [["x", ["1"], None]]]]


def test_blocks_nest_with_and_without_an_equals_sign():
    text = "A { Addresses = { ip = { addr = ::1; port = 1 } ipv4 = { addr = 1.2.3.4 } }\n Options { x = y } }"
    assert shown(parse(text)) == [
        [
            "A",
            None,
            [
                ["Addresses", None, [["ip", None, [["addr", ["::1"], None], ["port", ["1"], None]]], ["ipv4", None, [["addr", ["1.2.3.4"], None]]]]],
                ["Options", None, [["x", ["y"], None]]],
            ],
        ]
    ]  # fmt: skip


def test_quotes_keep_everything_and_a_backslash_takes_the_next_character():
    text = 'A { x = "a;b#c}d\\"e\\\\f\\n, =" # not this "\n y = "two\nlines" }'
    assert shown(parse(text)) == [["A", None, [["x", ['a;b#c}d"e\\fn, ='], None], ["y", ["two\nlines"], None]]]]


def test_a_hash_ends_an_unquoted_value():
    assert shown(parse("x = /tmp/a#b\n")) == [["x", ["/tmp/a"], None]]


def test_plugin_lines_are_statements_without_an_equals_sign():
    text = "plugin exchange.dll\nplugin postgresql { conninfo = x }\nplugin = filesystem"
    assert shown(parse(text)) == [
        ["plugin exchange.dll", None, None],
        ["plugin postgresql", None, [["conninfo", ["x"], None]]],
        ["plugin", ["filesystem"], None],
    ]


def test_names_are_compared_without_case_and_blanks():
    (statement,) = parse("Maximum  concurrent\tJOBS = 2")
    assert statement.key == "maximumconcurrentjobs"


def test_each_statement_and_piece_knows_its_place():
    (resource,) = parse("\n  A {\n    x = 1, 2\n  }", "a.conf")
    (directive,) = resource.body
    assert (resource.place.line, resource.place.column) == (2, 3)
    assert (directive.value[2].place.file, directive.value[2].place.line, directive.value[2].place.column) == (
        "a.conf",
        3,
        12,
    )
    assert directive.value[1].kind is Kind.COMMA


def test_an_included_file_stands_where_it_is_named(tmp_path):
    (tmp_path / "more.conf").write_text("FD Port = 77\n")
    (tmp_path / "secret").write_text("hidden\n")
    main = tmp_path / "main.conf"
    main.write_text(f'A {{\n @{tmp_path}/more.conf\n @"{tmp_path}/more.conf"\n Password = @{tmp_path}/secret\n}}\n')
    (resource,) = read(main)
    assert shown(resource.body) == [
        ["FD Port", ["77"], None],
        ["FD Port", ["77"], None],
        ["Password", ["hidden"], None],
    ]
    assert resource.body[0].place.file == str(tmp_path / "more.conf")


def test_a_commands_output_stands_where_it_is_named(tmp_path):
    (tmp_path / "one.conf").write_text("A { x = 1 }\n")
    text = f"@|\"sh -c 'for f in {tmp_path}/*.conf; do echo @$f; done'\"\n@|echo\n"
    assert shown(parse(text)) == [["A", None, [["x", ["1"], None]]]]


def test_a_file_that_includes_itself_is_refused(tmp_path):
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).write_text(f"@{tmp_path / other}\n")
    with pytest.raises(ConfigError, match="includes itself"):
        read(tmp_path / "a")


def test_commands_that_print_themselves_are_stopped(tmp_path):
    (tmp_path / "again").write_text(f'@|"cat {tmp_path}/again"\n')
    with pytest.raises(ConfigError, match="nested more than"):
        read(tmp_path / "again")


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("A {\n  b = c\n", "1:3", 'this "{" is never closed'),
        ("A { b {\n c = d }\n", "1:3", 'this "{" is never closed'),
        ("A {\n}\n}\n", "3:1", 'a "}" without its "{"'),
        ('A {\n b = "foo\n}', "2:6", "this quote is never closed"),
        ('A {\n b "foo"\n}', "2:4", "a quoted string where a name should be"),
        ("{ }", "1:1", 'a "{" that no name stands before'),
        ("= x", "1:1", 'an "=" that no name stands before'),
        ("A { b = a{b }", "1:10", 'a "{"'),
        ("@/does/not/exist", "1:1", "cannot read /does/not/exist: No such file"),
        ('\n@|"false"', "2:1", "ended with code 1"),
        ('@|"/does/not/exist x"', "1:1", "cannot be run"),
    ],
)
def test_an_error_says_where_and_what(text, place, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        parse(text, "a.conf")
    assert f"{caught.value.line}:{caught.value.column}" == place
    assert str(caught.value).startswith(f"a.conf:{place}: ")


@pytest.mark.parametrize(
    "text", ["Password = hush hush {", "Password hush", 'A { Password "hush" }', "A { Password = {hush} }}", "= hush"]
)
def test_no_message_shows_a_value(text):
    try:
        statements = parse(text)
    except ConfigError as error:
        assert "hush" not in str(error)  # noqa: PT017
    else:
        assert "hush" not in repr(statements[0].value)


def test_bytes_that_are_no_utf_8_stay_as_they_are(tmp_path):
    path = tmp_path / "a.conf"
    path.write_bytes(b'A {\n  # caf\xe9\n  Password = "caf\xe9" }')
    (value,) = read(path)[0].body[0].value
    assert os.fsencode(value.text) == b"caf\xe9"


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "a.conf"
    path.write_bytes(b"A\0")
    with pytest.raises(ConfigError, match="NUL byte"):
        read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=re.escape(f"cannot read {tmp_path}/no.conf: No such file")):
        read(tmp_path / "no.conf")


def test_debians_own_conf_is_read():
    names = [statement.name for statement in read(DEBIAN_CONF)]
    assert names == ["Director", "Director", "FileDaemon", "Messages"]


@given(st.text(alphabet='Ab =\n{};,"\\#! é1./', max_size=40))
def test_any_text_gives_statements_or_a_place(text):
    try:
        parse(text, "f")
    except ConfigError as error:
        assert (error.line >= 1, str(error)[:2]) == (True, "f:")  # noqa: PT017


@given(st.text(max_size=30).filter(lambda text: "\0" not in text))
def test_any_string_survives_quoting(value):
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    (statement,) = parse(f'x = "{quoted}"')
    assert statement.value[0].text == value
