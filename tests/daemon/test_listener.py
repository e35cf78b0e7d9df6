from __future__ import annotations

import socket

import pytest

from filed.config.filedaemon import Address
from filed.daemon.listener import listen
from filed.errors import ConfigError
from tests.live.bacula import free_port


def test_each_address_is_listened_on() -> None:
    ports = free_port(), free_port()
    found = listen([Address("127.0.0.1", port, "ipv4") for port in ports])
    for port, listener in zip(ports, found, strict=True):
        socket.create_connection(("127.0.0.1", port), 5).close()
        listener.close()


def test_an_address_that_is_taken_is_named() -> None:
    port = free_port()
    (first,) = listen([Address("127.0.0.1", port)])
    with first, pytest.raises(ConfigError, match=f"127.0.0.1 port {port}"):
        listen([Address("127.0.0.1", port)])


def test_a_name_without_an_address_is_named() -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        listen([Address("nowhere.invalid", 9102)])
