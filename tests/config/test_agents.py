import re

import pytest

from filed.config.agents import AgentConf, agent_id, is_plugin_line, read_agents
from filed.config.resources import Warnings
from filed.config.syntax import parse
from filed.errors import ConfigError


def agents(text: str) -> tuple[AgentConf, ...]:
    return read_agents(parse(text, "f"), Warnings())


def test_plugin_lines_name_agents_in_order_whatever_the_suffix():
    assert [
        agent.id for agent in agents('plugin exchange.dll\nplugin = postgresql.so\nPlugin filesystem\nplugin = "a-b"')
    ] == [
        "exchange",
        "postgresql",
        "filesystem",
        "a-b",
    ]


def test_options_stand_in_braces_and_keep_their_order():
    (agent,) = agents('plugin pg.so { Conn Info = "host=/run dbname=x"; timeout = 1 hour 30 minutes\n retries = 3 }')
    assert agent.options == (("Conn Info", "host=/run dbname=x"), ("timeout", "1 hour 30 minutes"), ("retries", "3"))


def test_option_values_are_not_shown():
    assert "hush" not in repr(agents('plugin pg { password = "hush" }'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plugin ../evil.so", "not the name of an agent"),
        ("plugin = /tmp/evil.so", "never by a path"),
        ('plugin = ""', "not the name of an agent"),
        ("plugin pg\nplugin pg.dll", 'f:2:1: agent "pg" is named twice'),
        ("plugin pg { x { } }", 'options of agent "pg" are written as: name = value'),
    ],
)
def test_a_bad_plugin_line_is_refused(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        agents(text)


def test_a_plugin_directory_is_not_an_agent():
    assert not any(
        is_plugin_line(statement) for statement in parse("Plugin Directory = /x\nPlugin Directory\nPlugins = 1")
    )


def test_an_id_is_small_letters_digits_and_dashes():
    assert agent_id("Exchange.DLL") == "exchange"
    assert agent_id("x" * 33) is None
    assert agent_id("-a") is None
    assert agent_id("a/b") is None
