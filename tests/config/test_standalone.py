import re

import pytest

from filed.config.standalone import Job, Level, Storage, read_standalone_conf, standalone_conf
from filed.config.syntax import parse
from filed.errors import ConfigError

FILESET = "FileSet { Name = Home; Include { File = /home } }\n"
STORAGE = "Storage { Name = Disk; Archive Device = /mnt/disk }\n"
JOB = "Job { Name = Nightly; FileSet = Home; Storage = Disk }\n"


def conf(text: str):
    return standalone_conf(parse(text, "f"))


def test_a_job_names_its_fileset_and_storage():
    read = conf(
        'Job { Name = Nightly; Type = Backup; Level = incremental; FileSet = Home; Storage = Disk; Description = "x y" }\n'
        + FILESET
        + "Storage { Name = Disk; Archive Device = /mnt/disk; Maximum Volume Bytes = 5g; Media Type = File1 }\n"
        "FileDaemon { Name = me; Plugin Directory = /usr/lib/filed; PKI Keypair = /k; PKI Encryption = yes }\nplugin pg { a = b }"
    )
    assert read.job("Nightly") == Job("Nightly", "Home", "Disk", Level.INCREMENTAL, "x y")
    assert read.storage("Disk") == Storage("Disk", "/mnt/disk", 5 << 30, "File1")
    assert read.fileset("Home").name == "FileSet"
    assert read.file_daemon.pki.encryption
    assert [agent.id for agent in read.agents] == ["pg"]
    assert read.warnings == ()


def test_the_level_may_be_left_to_the_command_line_and_the_daemon_out():
    read = conf(JOB + FILESET + STORAGE)
    assert read.job("Nightly").level is None
    assert read.file_daemon is None


def test_what_a_director_does_is_warned_about():
    text = "Job { Name = N; FileSet = Home; Storage = Disk; Pool = P; Priority = 3; Client = c; Accurate = no }\n"
    warnings = conf(text + FILESET + STORAGE).warnings
    assert len(warnings) == 4
    assert 'f:1:49: "Pool" has no effect: there is no Director' in warnings


def test_the_daemons_resources_are_passed_over_and_their_secrets_guarded(tmp_path):
    path = tmp_path / "filed.conf"
    path.write_text(JOB + FILESET + STORAGE + "Director { Name = d; Password = x }\nMessages { Name = m }")
    path.chmod(0o644)
    (warning,) = read_standalone_conf(path).warnings
    assert "this file holds passwords" in warning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (JOB + STORAGE, 'f:1:1: Job "Nightly" names FileSet "Home", and there is no such resource'),
        (JOB + STORAGE + FILESET.replace("Home", "Hom"), 'did you mean "Hom"?'),
        (JOB + JOB + STORAGE + FILESET, 'f:2:1: there are two Job resources named "Nightly"'),
        ("Job { Name = N; Type = Restore }", "Type Restore; here a Job is a Backup"),
        (
            "Job { Name = N; Level = Base; FileSet = Home; Storage = Disk }",
            "Level is one of Full, Differential, Incremental",
        ),
        ("Job { Name = N; Run Before Job = x }", '"Run Before Job" is for Jobs of a Director'),
        ("Job { Name = N; RunScript { Command = x } }", '"RunScript" is for Jobs of a Director'),
        ("Storage { Name = S; Address = h }", "here a Storage is a directory"),
        ("Storage { Name = S }", 'Storage needs a "Archive Device" line'),
        ("Storage { Name = S; Archive Device = rel }", "not an absolute path"),
        ("Pool { Name = P }", '"Pool" is not a resource of this conf'),
        ("Fileset { Name = a }\nFiel Set { Name = b }", 'did you mean "FileSet"?'),
    ],
)
def test_a_bad_conf_is_refused_with_the_reason(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        conf(text)


def test_a_name_that_is_not_there_is_told_those_that_are():
    read = conf(JOB + FILESET + STORAGE)
    with pytest.raises(ConfigError, match=re.escape('there is no Job "Nihgtly" in the conf; there are: Nightly')):
        read.job("Nihgtly")
