from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.agents.abi import Feature, OptionFlag, OptionType, version
from filed.agents.descriptor import Descriptor, OptionSpec
from filed.agents.options import Settings, check_options, mask, parse_value
from filed.errors import ConfigError

NONE = OptionFlag(0)


def about(*options: OptionSpec) -> Descriptor:
    return Descriptor(
        "demo",
        "1",
        "us",
        "MIT",
        version(1, 0),
        version(1, 0),
        version(1, 0),
        Feature(0),
        0,
        (),
        (),
        options,
        True,
        True,
    )


DEMO = about(
    OptionSpec("host", OptionType.STRING, OptionFlag.REQUIRED, "where the service is"),
    OptionSpec("password", OptionType.STRING, OptionFlag.SECRET | OptionFlag.FROM_DIRECTOR),
    OptionSpec("database", OptionType.STRING, OptionFlag.REPEATS | OptionFlag.FROM_DIRECTOR),
    OptionSpec("size", OptionType.SIZE, OptionFlag.FROM_DIRECTOR, initial="1024"),
)


def test_values_go_on_in_order_and_in_the_agent_s_form() -> None:
    settings = check_options(DEMO, [("host", "h"), ("database", "b"), ("size", "1k"), ("database", "a")])
    assert settings.options == (("host", "h"), ("database", "b"), ("size", "1024"), ("database", "a"))


def test_an_unknown_key_is_told_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError,
        match="agent demo: there is no option 'hots'; did you mean 'host'\\? It knows: database, host, password",
    ):
        check_options(DEMO, [("hots", "x")])


def test_what_is_required_must_be_there() -> None:
    with pytest.raises(ConfigError, match=r"option host is required \(where the service is\)"):
        check_options(DEMO, [])


def test_only_what_repeats_may_be_given_twice() -> None:
    with pytest.raises(ConfigError, match="option host is given twice"):
        check_options(DEMO, [("host", "a"), ("host", "b")])


def test_a_director_sets_only_what_is_open_to_him_and_then_wins() -> None:
    conf = [("host", "h"), ("size", "1"), ("database", "a")]
    settings = check_options(DEMO, conf, [("size", "2"), ("database", "b")])
    assert settings.options == (("host", "h"), ("database", "a"), ("size", "2"), ("database", "b"))
    with pytest.raises(ConfigError, match="option host may only be set in this machine's conf"):
        check_options(DEMO, conf, [("host", "evil")])


def test_a_secret_is_no_option_and_is_never_shown() -> None:
    settings = check_options(DEMO, [("host", "h"), ("password", "geheim")])
    assert settings.options == (("host", "h"),)
    assert settings.secrets["password"].read() == b"geheim"
    assert "geheim" not in repr(settings)
    spec = DEMO.options[1]
    assert mask(spec, "geheim") == "********"
    assert mask(DEMO.options[0], "h") == "h"


def test_a_director_s_secret_names_no_file_of_ours() -> None:
    settings = check_options(DEMO, [("host", "h")], [("password", "file:/etc/shadow")])
    assert settings.secrets["password"].read() == b"file:/etc/shadow"


def test_an_agent_that_declares_nothing_takes_anything() -> None:
    assert check_options(about(), [("a", "1"), ("a", "2")]).options == (("a", "1"), ("a", "2"))
    assert check_options(about()) == Settings()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (OptionType.STRING, " as it is ", " as it is "),
        (OptionType.BOOL, "Yes", "yes"),
        (OptionType.BOOL, "0", "no"),
        (OptionType.INT, "-17", "-17"),
        (OptionType.SIZE, "10", "10"),
        (OptionType.SIZE, "64k", "65536"),
        (OptionType.SIZE, "10 GB", "10000000000"),
        (OptionType.SIZE, "1 MiB", "1048576"),
        (OptionType.DURATION, "90", "90"),
        (OptionType.DURATION, "5 min", "300"),
        (OptionType.DURATION, "1 h 30 min", "5400"),
        (OptionType.PATH, "/a b", "/a b"),
        (OptionType.ENUM, "two", "two"),
    ],
)
def test_a_value_is_brought_into_its_form(kind: OptionType, text: str, value: str) -> None:
    assert parse_value("demo", OptionSpec("k", kind, NONE, choices=("one", "two")), text) == value


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        (OptionType.STRING, "a\0b", "text without a NUL"),
        (OptionType.BOOL, "perhaps", "yes or no"),
        (OptionType.INT, "1.5", "a whole number"),
        (OptionType.INT, str(2**63), "a whole number"),
        (OptionType.SIZE, "big", "a size such as"),
        (OptionType.SIZE, "10 parsecs", "a size such as"),
        (OptionType.SIZE, "-1", "a size such as"),
        (OptionType.SIZE, "9" * 30, "a size such as"),
        (OptionType.DURATION, "soon", "a time such as"),
        (OptionType.DURATION, "", "a time such as"),
        (OptionType.PATH, "relative", "an absolute path"),
        (OptionType.ENUM, "three", "one of one, two"),
    ],
)
def test_a_wrong_value_is_told_with_what_would_be_right(kind: OptionType, text: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=f"agent demo: option k = .*: give {wanted}"):
        parse_value("demo", OptionSpec("k", kind, NONE, choices=("one", "two")), text)


@given(st.sampled_from(OptionType), st.text(max_size=20))
def test_any_text_is_a_value_or_a_config_error(kind: OptionType, text: str) -> None:
    spec = OptionSpec("k", kind, NONE, choices=("one",))
    try:
        value = parse_value("demo", spec, text)
    except ConfigError:
        return
    assert parse_value("demo", spec, value) == value
