"""Plugin lines as options, and which agent is whose; the whole of it is in tests/system_agents/test_instances.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import AgentLoadError, JobError
from filed.job.agents.lines import parse_plugin_line
from filed.job.description import AgentSetup
from tests.job.conftest import Desk
from tests.system_agents.jobs import line

keys = st.from_regex(r"[A-Za-z][\w-]{0,10}", fullmatch=True).filter(str.isascii)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("trace", ()),
        ("trace:", ()),
        ("trace:  ", ()),
        ("trace: a = 1", (("a", "1"),)),
        ("trace:a=1,b = two words , c=", (("a", "1"), ("b", "two words"), ("c", ""))),
        ('trace: a = "x, y", b = "say \\"hi\\""', (("a", "x, y"), ("b", 'say "hi"'))),
        ("trace: path=/a:b/c, url = http://h:1/?q=1", (("path", "/a:b/c"), ("url", "http://h:1/?q=1"))),
        ("trace: a = 1, a = 2", (("a", "1"), ("a", "2"))),
    ],
)
def test_a_plugin_line_is_a_name_and_options(text: str, options: tuple[tuple[str, str], ...]) -> None:
    assert parse_plugin_line(text) == options


@pytest.mark.parametrize("text", ["trace: a", "trace: = 1", "trace: a = 1; b = 2, c", 'trace: a = "1', "trace: 1a = 2"])
def test_where_a_line_stops_making_sense_is_shown(text: str) -> None:
    with pytest.raises(JobError, match="is no `key = value`"):
        parse_plugin_line(text)


@given(st.lists(st.tuples(keys, st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)), max_size=5))
def test_a_quoted_value_may_hold_anything(options: list[tuple[str, str]]) -> None:
    quoted = [(key, value.replace("\\", "\\\\").replace('"', '\\"')) for key, value in options]
    text = "trace: " + ", ".join(f'{key} = "{value}"' for key, value in quoted)
    assert parse_plugin_line(text) == tuple(options)


def test_a_library_is_loaded_once_under_any_spelling(desk: Desk, agents_dir) -> None:
    libraries = desk.libraries(AgentSetup((line("trace"),), (agents_dir,)))
    assert libraries.of("trace.so") is libraries.of("trace") is libraries.of("trace.dll")
    assert len([text for text in desk.texts() if text.startswith("agent trace 3.1 from ")]) == 1
    with pytest.raises(AgentLoadError, match=r"there is no other\.so"):
        libraries.of("other")


def test_an_agent_that_the_conf_does_not_name_is_an_error_with_the_line_to_add(desk: Desk, agents_dir) -> None:
    libraries = desk.libraries(AgentSetup((line("trace.so", page="1"), line("good")), (agents_dir,)))
    assert libraries.line_of("trace").options == (("page", "1"),)
    with pytest.raises(
        JobError, match=r"no agent 'bad' here; the conf names: trace, good \(or fine\)\. Add its plugin line"
    ):
        libraries.line_of("bad")


def test_a_plugin_line_may_use_a_former_name_of_an_agent(desk: Desk, agents_dir) -> None:
    libraries = desk.libraries(AgentSetup((line("good"), line("newname", page="1")), (agents_dir,)))
    assert libraries.line_of("trace").name == "newname"
    with pytest.raises(JobError, match=r"the conf names: good \(or fine\), newname \(or trace\)\."):
        libraries.line_of("bad")
