"""`filed config check`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Filed

GOOD = """
Job { Name = J; FileSet = F; Storage = S }
FileSet { Name = F; Include { File = /etc } }
Storage { Name = S; Archive Device = "/mnt/disk" }
"""


def test_a_right_conf_says_what_it_is_good_for(filed: Filed, tmp_path: Path) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text(GOOD)
    said = filed("config", "check", conf)
    assert said.code == 0
    assert said.out == f"{conf} is right: 1 Jobs for `filed backup`\n"


def test_each_fault_is_told_with_its_place(filed: Filed, tmp_path: Path) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text(GOOD.replace("FileSet = F", "FileSet = Nowhere"))
    said = filed("config", "check", conf)
    assert said.code == 1
    assert f"Error: {conf}:2:" in said.err
    assert "Nowhere" in said.err


def test_a_conf_that_is_none_is_an_error_at_its_line(filed: Filed, tmp_path: Path) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text("Job {\n  Name = \n")
    said = filed("config", "check", conf)
    assert said.code == 1
    assert "Traceback" not in said.err
    assert f"{conf}:" in said.err


def test_a_conf_for_both_is_counted_for_both(filed: Filed, tmp_path: Path) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text(GOOD + f"FileDaemon {{ Name = fd; WorkingDirectory = {tmp_path}; Pid Directory = {tmp_path} }}\n"
                    "Director { Name = d; Password = secret }\n")  # fmt: skip
    conf.chmod(0o600)
    said = filed("config", "check", conf)
    assert said.out == f"{conf} is right: 1 Jobs for `filed backup`, 1 Directors for the daemon\n"


def test_a_warning_leaves_it_right(filed: Filed, tmp_path: Path) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text(GOOD.replace("Storage = S }", "Storage = S; Priority = 3 }", 1))
    said = filed("config", "check", conf)
    assert said.code == 0
    assert said.err.startswith(f"Warning: {conf}:2:")
    assert '"Priority" has no effect' in said.err


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("FileSet = F;", "FileSet = G;", r':2:1: Job "J" names FileSet "G", and there is no such resource'),
        ('Archive Device = "/mnt/disk"', "", r':4:1: .*"Archive Device"'),
        ("File = /etc", "Options { compression = GZIP99 } File = /etc", r":3:\d+: .*GZIP99"),
        ("Job {", "Pool { Name = P }\nJob {", r':2:1: "Pool" is not a resource'),
    ],
)
def test_what_is_wrong_is_said_with_its_place(filed: Filed, tmp_path: Path, before: str, after: str, told: str) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text(GOOD.replace(before, after, 1))
    said = filed("config", "check", conf)
    assert (said.code, said.out) == (1, "")
    assert re.match(f"Error: {re.escape(str(conf))}{told}", said.err)


def test_every_fault_is_told_not_only_the_first(filed: Filed, tmp_path: Path) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text(GOOD.replace("Storage = S }", "Storage = T }").replace("File = /etc", "Fiel = /etc"))
    assert filed("config", "check", conf).err.count("Error: ") == 2


def test_a_conf_that_is_not_there_cannot_be_read(filed: Filed, tmp_path: Path) -> None:
    said = filed("config", "check", tmp_path / "nix")
    assert said.code == 1
    assert "cannot read" in said.err
    assert "No such file or directory" in said.err


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("plugin missing\n", "there is no missing.so; looked in: "),
        ("plugin filesystem { fcts = /x }\n", "agent filesystem: there is no option 'fcts'"),
        ("plugin sqlite { directry = /x }\n", "did you mean 'directory'?"),
        ("plugin bpipe\n", "what it did is done by pipe: write `plugin pipe`"),
        ('FileDaemon { Name = x; Plugin Directory = "/nowhere/at/all" }\n', "there is no directory /nowhere/at/all"),
        ("FileDaemon { Name = x; PKI Signatures = yes; PKI Keypair = /nowhere/key.pem }\n", "/nowhere/key.pem"),
    ],
)
def test_what_a_job_would_need_is_looked_at(filed: Filed, tmp_path: Path, lines: str, told: str) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text(GOOD + lines)
    conf.chmod(0o600)
    said = filed("config", "check", conf)
    assert (said.code, said.out) == (1, "")
    assert told in said.err


@pytest.mark.parametrize(
    ("lines", "plugin", "told"),
    [
        ("", "sqlite: directory = /x", "no agent 'sqlite' here; the conf names: filesystem. Add its plugin line"),
        ("plugin filesystem\nplugin sqlite\n", "sqlite: directry = /x", "did you mean 'directory'?"),
        ("plugin filesystem\nplugin sqlite\n", "sqlite: nothing", "'nothing' is no `key = value`"),
        ("plugin sqlite\n", "sqlite: directory = /x", "File = /etc: no agent takes it; the conf names: sqlite"),
    ],
)
def test_the_lines_of_filesets_are_held_against_the_agents(
    filed: Filed, tmp_path: Path, lines: str, plugin: str, told: str
) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text(GOOD.replace("File = /etc", f'File = /etc\n Plugin = "{plugin}"\n') + lines)
    said = filed("config", "check", conf)
    assert (said.code, said.out) == (1, "")
    assert told in said.err
    assert said.err.count("Error: ") == 1


def test_an_option_that_is_needed_may_stand_in_the_fileset(filed: Filed, tmp_path: Path) -> None:
    conf = tmp_path / "filed.conf"
    plugin = 'Plugin = "sqlite: directory = /x"'
    conf.write_text(GOOD.replace("File = /etc", f"File = /etc\n {plugin}\n") + "plugin filesystem\nplugin sqlite\n")
    assert filed("config", "check", conf).code == 0


def test_what_the_daemon_would_need_is_looked_at(filed: Filed, tmp_path: Path) -> None:
    conf = tmp_path / "bacula-fd.conf"
    conf.write_text(
        "FileDaemon { Name = fd; WorkingDirectory = /nowhere/at/all }\nDirector { Name = d; Password = secret }\n"
    )
    conf.chmod(0o600)
    said = filed("config", "check", conf)
    assert said.code == 1
    assert "there is no directory /nowhere/at/all; make it" in said.err
