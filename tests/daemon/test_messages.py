from __future__ import annotations

from pathlib import Path

from filed.config import FileDaemonConf, read_filedaemon_conf
from filed.daemon.messages import goes_to
from filed.wire.reply import MessageType


def conf(tmp_path: Path, messages: str) -> FileDaemonConf:
    path = tmp_path / "fd.conf"
    path.write_text(
        'FileDaemon { Name = a-fd; WorkingDirectory = "/tmp" }\nDirector { Name = a-dir; Password = p }\n' + messages
    )
    return read_filedaemon_conf(path)


def test_without_a_resource_everything_goes(tmp_path: Path) -> None:
    assert goes_to(conf(tmp_path, ""), "a-dir", MessageType.INFO)


def test_what_the_resource_leaves_out_stays_here_but_for_errors(tmp_path: Path) -> None:
    read = conf(tmp_path, "Messages { Name = Standard; director = a-dir = all, !info, !error }")
    assert goes_to(read, "a-dir", MessageType.WARNING)
    assert not goes_to(read, "a-dir", MessageType.INFO)
    assert goes_to(read, "a-dir", MessageType.ERROR)
    assert not goes_to(read, "b-dir", MessageType.WARNING)
