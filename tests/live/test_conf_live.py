"""What bacula-fd -t makes of a conf, `filed daemon -t` makes of it, too; and Debian's own conf runs unchanged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from filed.config.filedaemon import filedaemon_conf, read_filedaemon_conf
from filed.config.syntax import parse
from filed.errors import ConfigError
from tests.config.directives import ABSENT, DIRECTIVES, NEWER, conf_with
from tests.live.bacula import Bacula
from tests.live.filed_daemon import PROGRAM, ROOT, FiledDaemon
from tests.live.jobs import restored, saved, shown
from tests.live.releases import BACULA_9, Release

pytestmark = pytest.mark.live

TRICKY = {
    "names in any case and spacing": ("FileDaemon", "HEART  beat INTERVAL", "1 hour 30 min"),
    "a quoted value": ("FileDaemon", "Description", '"with # { } ; and \\\\ in it"'),
    "a month": ("FileDaemon", "SD Connect Timeout", "2 m"),
    "no unit of time": ("FileDaemon", "SD Connect Timeout", "2 fortnights"),
    "a speed": ("Director", "Maximum Bandwidth Per Job", "1.5 mb/s"),
    "no speed": ("Director", "Maximum Bandwidth Per Job", "fast"),
    "neither yes nor no": ("Director", "Monitor", "perhaps"),
    "no kind of message": ("Messages", "Stdout", "all, !everything"),
    "types in any order": ("Messages", "Append", "/x = !info, all, !skipped"),
    "no number": ("FileDaemon", "Maximum Concurrent Jobs", "many"),
    "no cipher": ("FileDaemon", "PKI Cipher", "rot13"),
    "an unclosed quote": ("FileDaemon", "Description", '"text'),
}


def bacula_fd_takes(path: Path, release: Release = BACULA_9) -> bool:
    """Whether `bacula-fd -t` is content."""
    command = [release.program("bacula-fd"), "-t", "-c", str(path)]
    done = subprocess.run(command, env=release.environment, capture_output=True, timeout=60, check=False)
    return not done.returncode


def we_take(text: str) -> bool:
    try:
        filedaemon_conf(parse(text))
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("resource", DIRECTIVES)
def test_bacula_fd_knows_just_the_directives_that_we_know(tmp_path: Path, resource: str, release: Release) -> None:
    path = tmp_path / "fd.conf"
    differing = []
    known = DIRECTIVES[resource] | (NEWER.get(resource, {}) if release.newer else {})
    for name in (*known, *ABSENT[resource]):
        text = conf_with(resource, name, known.get(name, "1"))
        path.write_text(text)
        if bacula_fd_takes(path, release) is not we_take(text):
            differing.append(name)
    assert differing == []


@pytest.mark.parametrize("name", TRICKY)
def test_a_value_is_good_to_us_where_it_is_to_bacula_fd(tmp_path: Path, name: str) -> None:
    path = tmp_path / "fd.conf"
    path.write_text(conf_with(*TRICKY[name]))
    assert bacula_fd_takes(path) is we_take(path.read_text())


def test_includes_are_read_as_bacula_fd_reads_them(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from-a-file\n")
    (tmp_path / "director.conf").write_text(f"Director {{\n  Name = a-dir\n  Password = @{tmp_path}/password\n}}\n")
    (tmp_path / "make").write_text(
        "#!/bin/sh\necho 'FileDaemon { Name = '$1'; WorkingDirectory = /var/lib; PidDirectory = /tmp }'\n"
    )
    (tmp_path / "make").chmod(0o755)
    path = tmp_path / "fd.conf"
    path.write_text(
        f'@{tmp_path}/director.conf\n@|"{tmp_path}/make a-fd"\nMessages {{ Name = Standard; director = a-dir = all }}\n'
    )
    assert bacula_fd_takes(path)
    read = read_filedaemon_conf(path)
    assert (read.file_daemon.name, read.directors[0].password) == ("a-fd", "from-a-file")


def test_debians_own_conf_runs_unchanged(tmp_path: Path, release: Release) -> None:
    """As the package installs it: it fills in its marks. Where it works and listens is ours, for others test here, too."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("saved with Debian's conf\n")
    before = shown(source)
    with Bacula(tmp_path, release=release) as bacula:
        file_set = f'FileSet {{ Name = Source; Include {{ Options {{ signature = MD5 }} File = "{source}" }} }}'
        bacula.write_confs(file_sets=file_set, jobs="Job { Name = Save; JobDefs = Common; FileSet = Source }")
        text = (release.default_confs / "bacula-fd.conf").read_text()
        for mark, value in (
            ("@debian_basename@", "t"),
            ("XXX_FDPASSWORD_XXX", bacula.password),
            ("XXX_MONFDPASSWORD_XXX", "looks"),
            ("9102 ", f"{bacula.ports['fd']} "),
            ("/var/lib/bacula", str(bacula.work)),
            ("/run/bacula", str(bacula.work)),
        ):
            assert mark in text
            text = text.replace(mark, value)
        bacula.conf("fd").write_text(text)
        bacula.make_catalog()
        bacula.start("sd", "dir")
        command = [sys.executable, "-c", PROGRAM, "daemon", "-t", "-c", str(bacula.conf("fd"))]
        assert not subprocess.run(command, cwd=ROOT, check=False).returncode
        with FiledDaemon(bacula):
            job = saved(bacula, "Save")
            assert shown(restored(bacula, str(job), source)) == before
