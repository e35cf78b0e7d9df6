import pytest

from filed.config.agents import AgentConf, read_agents
from filed.config.limits import NO_LIMITS, AgentLimits
from filed.config.resources import Warnings
from filed.config.syntax import parse
from filed.errors import ConfigError


def agent(text: str) -> AgentConf:
    (found,) = read_agents(parse(text, "f"), Warnings())
    return found


def test_a_fence_stands_beside_the_agents_own_options():
    found = agent(
        "plugin sqlite {\n  directory = /srv\n"
        '  Fence { Timeout = 5 min; Memory Limit = 500 mb; Nice = 10; Environment = "LANG=C", "X=a b=c"; User = backup; NewPrivileges = yes }\n}'
    )
    assert found.options == (("directory", "/srv"),)
    assert found.limits == AgentLimits(300.0, 500_000_000, 10, (("LANG", "C"), ("X", "a b=c")), "backup", True)


def test_without_a_block_there_is_no_fence_and_an_option_of_that_name_is_the_agents():
    assert agent("plugin sqlite").limits == NO_LIMITS
    assert agent("plugin sqlite { fence = high }").options == (("fence", "high"),)


def test_the_environment_is_not_shown():
    assert "hush" not in repr(agent('plugin pg { Fence { Environment = "PGPASSWORD=hush" } }'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Fence { Nice = 20 }", '"Nice": 20 is not between 0 and 19'),
        ("Fence { Nice = -1 }", "Nice"),
        ('Fence { Environment = "novalue" }', 'is written as: Environment = "NAME=value"'),
        ("Fence { Memory = 1g }", '"Memory" is not a directive of the Fence of agent pg'),
        ("Fence { Nice = 1 }\nFence { Nice = 2 }", 'f:3:1: agent "pg" has two Fence blocks'),
    ],
)
def test_what_cannot_be_is_named(text: str, message: str):
    with pytest.raises(ConfigError) as caught:
        agent("plugin pg {\n" + text + "\n}")
    assert message in str(caught.value)
