from pathlib import Path

from filed.config.check import check
from filed.errors import ConfigError

DEBIAN_CONF = Path(__file__).parent / "bacula-fd-debian.conf"
STANDALONE = """Job { Name = N; FileSet = F; Storage = S; Pool = P }
FileSet { Name = F; Include { File = /home } }
Storage { Name = S; Archive Device = /mnt }
"""


def accept(statement):
    return statement.name


def refuse(statement):
    raise ConfigError("no", statement.place.file, statement.place.line, statement.place.column)


def test_a_daemons_conf_is_checked_as_one():
    report = check(DEBIAN_CONF, accept)
    assert report.usable
    assert (report.daemon is not None, report.standalone) == (True, None)


def test_a_conf_of_the_command_line_is_checked_with_its_filesets(tmp_path):
    path = tmp_path / "a.conf"
    path.write_text(STANDALONE)
    report = check(path, accept)
    assert report.usable
    assert report.daemon is None
    assert report.standalone.jobs["N"].storage == "S"
    assert report.warnings == (f'{path}:1:43: "Pool" has no effect: there is no Director',)
    assert check(path, refuse).errors == (f"{path}:2:1: no",)


def test_a_conf_for_both_is_checked_as_both_and_all_errors_are_told(tmp_path):
    path = tmp_path / "a.conf"
    path.write_text("Director { Name = d }\n" + STANDALONE.replace("Storage = S", "Storage = T"))
    report = check(path, refuse)
    assert len(report.errors) == 3
    assert not report.usable


def test_broken_text_is_one_error(tmp_path):
    path = tmp_path / "a.conf"
    path.write_text("Job {")
    assert check(path, accept).errors == (f'{path}:1:5: this "{{" is never closed',)
