"""Whether the certificates of a conf can be used: looked at when the daemon starts, and not when the first Director calls.

They are loaded again for each conversation, so that renewed ones need no restart.
"""

from __future__ import annotations

from pathlib import Path

from filed.config import FileDaemonConf, Tls
from filed.config.secrecy import why_exposed
from filed.errors import ConfigError
from filed.transport import check_shared_key, client_context, server_context, tls_need
from filed.wire.auth import TlsNeed


def check_certificates(conf: FileDaemonConf) -> None:
    """Raises ConfigError naming resource, directive and file of the first that cannot be used."""
    daemon = conf.file_daemon
    loaded = [(f'FileDaemon "{daemon.name}"', daemon.place, daemon.tls, client_context)]
    loaded += [(f'Director "{each.name}"', each.place, each.tls, server_context) for each in conf.directors]
    for resource, place, tls, load in loaded:
        try:
            check_shared_key(tls)
            if tls_need(tls) is not TlsNeed.NONE:
                load(tls)
                _check_files(tls)
        except ConfigError as error:
            raise place.error(f"{resource}: {error.text}") from error


def _check_files(tls: Tls) -> None:
    """Raises ConfigError for a file that others could change, or could read a private key in."""
    for directive, name in (
        ("TLS Certificate", tls.certificate),
        ("TLS Key", tls.key),
        ("TLS CA Certificate File", tls.ca_certificate_file),
    ):
        if name:
            path = Path(name)
            if why := why_exposed(path, path.stat(), path.read_bytes()):
                raise ConfigError(f"{directive}: {path}: {why}")
