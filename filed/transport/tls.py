"""TLS with certificates: what a conf says, as contexts of the stdlib, and whose certificate is good.

A peer's certificate is checked by OpenSSL against the CA of the conf; its name against `TLS Allowed CN`, or, where we called,
against the address that we called.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from filed.config.keys import Tls
from filed.errors import AuthenticationError, ConfigError
from filed.transport.psk import why_not
from filed.wire.auth import StartTls, TlsNeed


def tls_need(tls: Tls) -> TlsNeed:
    """What to say to a peer of certificates."""
    if tls.require and (tls.enable or not tls.psk):
        return TlsNeed.REQUIRED
    return TlsNeed.OK if tls.enable else TlsNeed.NONE


def tls_offer(tls: Tls) -> StartTls:
    """What to say to a peer that can begin TLS first. One that is offered both ways, and must take one, is free which."""
    need = TlsNeed.REQUIRED if tls.require else TlsNeed.OK
    return StartTls(tls_need(tls), need if tls.psk and not why_not() else TlsNeed.NONE)


def check_shared_key(tls: Tls) -> None:
    """Raises ConfigError where a conf depends on TLS with a shared key, and this Python has none."""
    if tls.require and tls.psk and not tls.enable and (why := why_not()):
        text = "there is no TLS with a shared key, since"
        raise ConfigError(f'"TLS Require" needs a "TLS Certificate" here: {text} {why}')


def server_context(tls: Tls) -> ssl.SSLContext:
    """For a peer that called us. It is asked for its certificate when `verify_peer` says so. Raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if not tls.certificate:
        raise ConfigError('TLS needs a "TLS Certificate" and a "TLS Key" on the side that is called')
    _load_certificate(context, tls)
    if tls.dh_file:
        _load(context.load_dh_params, "TLS DH File", tls.dh_file)
    if tls.verify_peer:
        _load_authorities(context, tls)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(tls: Tls) -> ssl.SSLContext:
    """For a peer that we call; its certificate is always looked at, ours is given if it asks. Raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # `check_name` knows `TLS Allowed CN`, and addresses in a CN
    if tls.certificate:
        _load_certificate(context, tls)
    _load_authorities(context, tls)
    return context


def check_names(names: Sequence[str], tls: Tls, peer: str, *addresses: str) -> None:
    """Is a certificate with these names, which OpenSSL accepted, that of the one we want? Raises AuthenticationError.

    addresses: what we called, or where it is to be found; none, or "": then any name will do, unless the conf allows only some.
    """
    if tls.allowed_cns:
        if not {name.lower() for name in names} & {name.lower() for name in tls.allowed_cns}:
            raise AuthenticationError(f"{peer} has a certificate of {_list(names)}, which TLS Allowed CN does not list")
    elif any(addresses) and not any(matches(name, address) for name in names for address in addresses):
        raise AuthenticationError(
            f"{peer} should be {addresses[0]}, and has a certificate of {_list(names)}; "
            f"call it by that name, or list it in TLS Allowed CN"
        )


def certificate_names(certificate: dict[str, Any]) -> list[str]:
    """The names that a certificate, as `getpeercert` gives it, is good for: its subject's common names, DNS names, addresses."""
    subject = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return subject + [value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]


def matches(name: str, address: str) -> bool:
    """Does a certificate's name cover a host's? A leading `*.` covers one label; addresses are compared as numbers."""
    try:
        return ip_address(name.strip("[]")) == ip_address(address.strip("[]"))
    except ValueError:
        pass
    name, address = name.lower().rstrip("."), address.lower().rstrip(".")
    if name.startswith("*."):
        host, _, domain = address.partition(".")
        return bool(host) and "." in domain and domain == name[2:]
    return bool(name) and name == address


def _load_certificate(context: ssl.SSLContext, tls: Tls) -> None:
    def load(path: str) -> None:
        # A pass phrase is never asked for: a daemon has nobody to ask.
        context.load_cert_chain(path, tls.key or None, password=lambda: b"")

    _load(load, "TLS Certificate and TLS Key", tls.certificate)


def _load_authorities(context: ssl.SSLContext, tls: Tls) -> None:
    if not (tls.ca_certificate_file or tls.ca_certificate_dir):
        raise ConfigError(
            'TLS needs a "TLS CA Certificate File" or "TLS CA Certificate Dir" to know good certificates by'
        )

    def load(_path: str) -> None:
        context.load_verify_locations(tls.ca_certificate_file or None, tls.ca_certificate_dir or None)

    _load(load, "TLS CA Certificate File or Dir", tls.ca_certificate_file or tls.ca_certificate_dir)


def _load(load: Any, what: str, path: str) -> None:
    try:
        load(path)
    except ssl.SSLError as error:
        raise ConfigError(
            f"{what}: {path} cannot be used: {(error.reason or str(error)).lower().replace('_', ' ')}"
        ) from error
    except OSError as error:
        raise ConfigError(f"{what}: {path} cannot be read: {error.strerror}") from error


def _list(names: Sequence[str]) -> str:
    return ", ".join(ascii(name)[1:-1] for name in names) or "nobody"
