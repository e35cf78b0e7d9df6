"""The sockets on which Directors call."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from filed.config.filedaemon import Address
from filed.errors import ConfigError

BACKLOG = 50
_FAMILIES = {"ip": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


def listen(addresses: Iterable[Address]) -> list[socket.socket]:
    """One for each address that a name stands for. Raises ConfigError naming the address that cannot be had."""
    found: list[socket.socket] = []
    try:
        for address in addresses:
            for family, place in _resolve(address):
                found.append(_listen(family, place))
    except BaseException:
        for sock in found:
            sock.close()
        raise
    return found


def _resolve(address: Address) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    family = _FAMILIES[address.family]
    if not address.host and family == socket.AF_UNSPEC:
        family = socket.AF_INET  # everywhere is IPv4 unless the conf asks for more, as with bacula-fd
    try:
        infos = socket.getaddrinfo(
            address.host or None, address.port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise ConfigError(f"FD Address {address.host}:{address.port} cannot be looked up: {error.strerror}") from error
    return [(info[0], info[4]) for info in infos]


def _listen(family: socket.AddressFamily, place: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(place)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        why = f"cannot listen on {place[0]} port {place[1]}: {error.strerror}; is another File Daemon running?"
        raise ConfigError(why) from error
    return sock
