"""What `-t` and a start say of certificates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from filed.config import Director, FileDaemon, FileDaemonConf, Tls
from filed.config.syntax import Place
from filed.daemon.certificates import check_certificates
from filed.errors import ConfigError
from tests.transport.certificates import Authority


def conf(daemon: Tls, director: Tls) -> FileDaemonConf:
    return FileDaemonConf(
        FileDaemon("a-fd", tls=daemon, place=Place("fd.conf", 1, 1)),
        (Director("a-dir", "password", tls=director, place=Place("fd.conf", 5, 1)),),
        (),
    )


def test_certificates_that_can_be_used_are_not_mentioned(tmp_path: Path) -> None:
    tls = Authority(tmp_path).tls("a-fd")
    check_certificates(conf(tls, tls))


def test_what_is_not_enabled_is_not_looked_at() -> None:
    off = Tls(certificate="/nonexistent", ca_certificate_file="/nonexistent")
    check_certificates(conf(off, off))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda tls, _: replace(tls, certificate="/nonexistent"),
            "TLS Certificate and TLS Key: /nonexistent cannot be read",
        ),
        (lambda tls, bad: replace(tls, key=bad), "TLS Certificate and TLS Key: .* cannot be used"),
        (lambda tls, bad: replace(tls, ca_certificate_file=bad), "TLS CA Certificate File or Dir: .* cannot be used"),
    ],
)
def test_each_resource_is_named_with_its_place(tmp_path: Path, spoil: Callable[[Tls, str], Tls], said: str) -> None:
    good = Authority(tmp_path).tls("a-fd")
    (tmp_path / "bad.pem").write_text("no key and no certificate")
    spoilt = spoil(good, str(tmp_path / "bad.pem"))
    with pytest.raises(ConfigError, match=rf'^fd.conf:1:1: FileDaemon "a-fd": {said}'):
        check_certificates(conf(spoilt, good))
    with pytest.raises(ConfigError, match=rf'^fd.conf:5:1: Director "a-dir": {said}'):
        check_certificates(conf(good, spoilt))


def test_files_that_others_read_or_write_are_refused(tmp_path: Path) -> None:
    good = Authority(tmp_path).tls("a-fd")
    for name, mode, said in (
        (good.key, 0o604, "TLS Certificate: .*others can read this private key"),
        (good.ca_certificate_file, 0o646, "TLS CA Certificate File: .*can be written by others"),
    ):
        Path(name).chmod(mode)
        with pytest.raises(ConfigError, match=rf'^fd.conf:5:1: Director "a-dir": {said}'):
            check_certificates(conf(Tls(), good))
        Path(name).chmod(0o600)
