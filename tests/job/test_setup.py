from __future__ import annotations

from pathlib import Path

from filed.config import AgentConf, FileDaemon, Pki
from filed.job.description import AgentLine
from filed.job.setup import default_setup, keys_of, setup_of, shipped_agents


def test_without_a_plugin_line_files_are_saved() -> None:
    assert default_setup().lines == (AgentLine("filesystem"),)
    assert setup_of(None) == default_setup()


def test_plugin_lines_come_in_their_order_and_their_directory_first() -> None:
    daemon = FileDaemon("a-fd", plugin_directory="/plugins", agents=(AgentConf("b"),), agent_timeout_s=7)
    setup = setup_of(daemon, (AgentConf("a", (("k", "v"),)),))
    assert setup.lines == (AgentLine("a", (("k", "v"),)), AgentLine("b"))
    assert setup.directories == (Path("/plugins"), shipped_agents())
    assert setup.timeout_s == 7


def test_keys_count_when_something_is_done_with_them() -> None:
    assert keys_of(FileDaemon("a-fd", pki=Pki(keypair="/pair.pem"))) is None
    keys = keys_of(FileDaemon("a-fd", pki=Pki(signatures=True, keypair="/pair.pem")))
    assert keys is not None
    assert not keys.encrypt
