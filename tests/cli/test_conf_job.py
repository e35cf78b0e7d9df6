"""A stand-alone conf as the values a Job wants."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
import pytest

from filed.cli.agents import shipped_agents
from filed.cli.conf_job import conf_job, conf_setting
from filed.errors import ConfigError
from filed.fileset import Signature
from filed.job.description import AgentLine, Level

CONF = """
FileDaemon {
  Name = here-fd; Plugin Directory = "/opt/agents"; Agent Timeout = 5 minutes
  PKI Keypair = "/etc/pair.pem"; PKI Master Key = "/etc/master.pem"; PKI Encryption = yes; PKI Cipher = aes256
}
plugin exchange.dll { timeout = 10 minutes; server = "mail one" }
plugin filesystem
Job { Name = Nightly; Level = Incremental; FileSet = Home; Storage = Disk }
Job { Name = Weekly; FileSet = Home; Storage = Disk }
FileSet { Name = Home; Include { Options { Signature = SHA1 } File = /home } }
Storage { Name = Disk; Archive Device = "/mnt/disk"; Maximum Volume Bytes = 1 gb }
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "filed.conf"
    path.write_text(CONF)
    path.chmod(0o600)
    return path


def test_a_job_has_what_its_resources_say(conf: Path) -> None:
    job = conf_job(conf, "Nightly", None, level=None)
    assert (job.name, job.client, job.level) == ("Nightly", "here-fd", Level.INCREMENTAL)
    assert job.places.volumes == Path("/mnt/disk")
    assert job.max_volume_bytes == 10**9
    assert job.fileset.includes[0].files == (b"/home",)
    assert job.fileset.includes[0].options[0].signature is Signature.SHA1


def test_plugin_lines_are_the_agents_in_order_with_their_options(conf: Path) -> None:
    agents = conf_job(conf, "Nightly", None, level=None).agents
    assert agents.lines == (
        AgentLine("exchange", (("timeout", "10 minutes"), ("server", "mail one"))),
        AgentLine("filesystem"),
    )
    assert agents.directories == (Path("/opt/agents"), shipped_agents())
    assert agents.timeout_s == 300


def test_keys_are_those_of_the_file_daemon(conf: Path) -> None:
    keys = conf_job(conf, "Nightly", None, level=None).keys
    assert keys is not None
    assert (keys.pair, keys.masters) == (Path("/etc/pair.pem"), (Path("/etc/master.pem"),))
    assert (keys.encrypt, keys.cipher) == (True, "aes256")


def test_the_command_line_counts_more_than_the_conf(conf: Path, tmp_path: Path) -> None:
    job = conf_job(conf, "Weekly", tmp_path, level=Level.DIFFERENTIAL)
    assert (job.level, job.places.volumes) == (Level.DIFFERENTIAL, tmp_path)
    assert conf_job(conf, "Weekly", None, level=None).level is Level.INCREMENTAL


def test_without_a_name_there_must_be_one_job(conf: Path) -> None:
    with pytest.raises(click.UsageError, match=r"which Job.*Nightly, Weekly"):
        conf_job(conf, None, None, level=None)
    text = CONF.replace("Job { Name = Weekly; FileSet = Home; Storage = Disk }\n", "")
    conf.write_text(text)
    assert conf_job(conf, None, None, level=None).name == "Nightly"


def test_an_unknown_job_is_an_error_that_names_the_conf(conf: Path) -> None:
    with pytest.raises(ConfigError, match="Monthly"):
        conf_job(conf, "Monthly", None, level=None)


def test_a_restore_takes_storage_agents_and_keys_from_the_conf(conf: Path) -> None:
    directory, agents, keys = conf_setting(conf, None)
    assert directory == Path("/mnt/disk")
    assert [line.name for line in agents.lines] == ["exchange", "filesystem"]
    assert keys is not None


def test_two_storages_need_a_choice(conf: Path, tmp_path: Path) -> None:
    conf.write_text(CONF + 'Storage { Name = Other; Archive Device = "/mnt/other" }\n')
    with pytest.raises(ConfigError, match="2 Storage resources; say which directory with -s DIR"):
        conf_setting(conf, None)
    assert conf_setting(conf, tmp_path)[0] == tmp_path


def test_without_a_file_daemon_there_are_neither_keys_nor_more_agents(tmp_path: Path) -> None:
    conf = tmp_path / "small.conf"
    conf.write_text(
        "Job { Name = J; FileSet = F; Storage = S }\nFileSet { Name = F; Include { File = /etc } }\n"
        'Storage { Name = S; Archive Device = "/mnt/disk" }\n'
    )
    job = conf_job(conf, None, None, level=None)
    assert job.keys is None
    assert job.agents.lines == (AgentLine("filesystem"),)
    assert dataclasses.replace(job.agents).timeout_s == 600


SMALL = (
    "Job { Name = J; FileSet = F; Storage = S }\nFileSet { Name = F; Include { File = /etc } }\n"
    'Storage { Name = S; Archive Device = "/mnt/disk" }\n'
)


def small(tmp_path: Path, text: str) -> Path:
    conf = tmp_path / "small.conf"
    conf.write_text(text)
    return conf


@pytest.mark.parametrize("level", list(Level))
def test_every_level_may_stand_in_the_conf_and_the_command_line_counts_more(tmp_path: Path, level: Level) -> None:
    conf = small(tmp_path, SMALL.replace("Name = J;", f"Name = J; Level = {level.name.capitalize()};"))
    assert conf_job(conf, None, None, level=None).level is level
    for asked in Level:
        assert conf_job(conf, None, None, level=asked).level is asked


def test_without_any_job_that_is_what_is_said(tmp_path: Path) -> None:
    conf = small(tmp_path, 'Storage { Name = S; Archive Device = "/mnt/disk" }\n')
    with pytest.raises(click.UsageError, match=r"which Job\? .* has: none; say --job NAME"):
        conf_job(conf, None, None, level=None)


def test_what_has_no_effect_is_warned_about_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = small(tmp_path, SMALL.replace("Name = J;", "Name = J; Priority = 3;"))
    conf_job(conf, None, None, level=None)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f'Warning: {conf}:1:17: "Priority" has no effect')


def test_a_directory_given_is_taken_from_where_we_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = small(tmp_path, SMALL)
    monkeypatch.chdir(tmp_path)
    assert conf_job(conf, None, Path("v"), level=None).places.volumes == tmp_path / "v"
    assert conf_setting(conf, Path("v"))[0] == tmp_path / "v"


def test_agents_are_offered_a_job_in_the_order_of_the_file_wherever_they_stand(tmp_path: Path) -> None:
    daemon = "FileDaemon { Name = fd\n  plugin = pg\n  plugin exchange { a = b }\n}\nplugin oracle\n"
    agents = conf_job(small(tmp_path, SMALL + daemon), None, None, level=None).agents
    assert [line.name for line in agents.lines] == ["pg", "exchange", "oracle"]
    assert agents.directories == (shipped_agents(),)


@pytest.mark.parametrize(
    ("lines", "does"), [("", None), ("PKI Signatures = yes", "signs"), ("PKI Encryption = yes", "encrypts")]
)
def test_a_key_pair_is_used_when_something_is_to_be_signed_or_encrypted(
    tmp_path: Path, lines: str, does: str | None
) -> None:
    daemon = f'FileDaemon {{ Name = fd; PKI Keypair = "/k.pem"; {lines} }}\n'
    keys = conf_job(small(tmp_path, SMALL + daemon), None, None, level=None).keys
    assert (keys is None) is (does is None)
    assert keys is None or keys.encrypt is (does == "encrypts")
