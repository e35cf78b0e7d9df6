"""What encryption by the shared key costs: processor time a GB, of the side that sends and of the side that receives, by cipher.

    python -m tests.bench.ciphers

Two processes on a socket pair, packets of 64 KiB as a Job sends them, by our own Connection. In clear it is what sockets and packets cost.
"""

from __future__ import annotations

import os
import resource
import socket
import ssl
import statistics
from collections.abc import Callable
from typing import NamedTuple
from unittest import mock

from filed.transport import Connection, TlsChannel, psk, psk_client_context, psk_server_context
from filed.wire.frame import Signal, pack_packet
from tests.bench.measure import machine

KEY = b"k" * 32
CHACHA = b"TLS_CHACHA20_POLY1305_SHA256"
PACKET = pack_packet(os.urandom(65_536))
GB = 1_000_000_000
ROUNDS = 3


class Kind(NamedTuple):
    name: str
    version: ssl.TLSVersion | None = None  # None: in clear
    as_others: bool = False  # the client offers what OpenSSL does by itself, as a bacula-fd: ChaCha20 is taken


KINDS = (
    Kind("in clear"),
    Kind("TLS 1.3, as filed offers it", ssl.TLSVersion.TLSv1_3),
    Kind("TLS 1.3, as bacula-fd does", ssl.TLSVersion.TLSv1_3, as_others=True),
    Kind("TLS 1.2", ssl.TLSVersion.TLSv1_2),
)


def seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(kind: Kind) -> tuple[str, float, float]:
    """The cipher, and seconds a GB of sender and receiver."""
    near, far = socket.socketpair()
    report, told = os.pipe()
    child = os.fork()
    if not child:
        near.close()
        connection = Connection(far, "the sender")
        _encrypt(connection, kind, psk_server_context, server=True)
        connection.read_ahead = True
        connection.receive()
        began = seconds()
        while connection.receive() is not Signal.EOD:
            pass
        os.write(told, f"{seconds() - began}".encode())
        os._exit(0)
    far.close()
    os.close(told)
    connection = Connection(near, "the receiver")
    _encrypt(connection, kind, psk_client_context, server=False)
    connection.send(b"begin")
    began = seconds()
    for _ in range(GB // 65_536):
        connection.send_frames(PACKET)
    connection.send(Signal.EOD)
    sent = seconds() - began
    received = float(os.read(report, 100))
    os.close(report)
    os.waitpid(child, 0)
    cipher = connection.cipher or "none"
    connection.close()
    return cipher, sent, received


def _encrypt(connection: Connection, kind: Kind, make: Callable[[bytes], ssl.SSLContext], *, server: bool) -> None:
    if kind.version is not None:
        with mock.patch.object(psk, "CIPHERS_1_3", CHACHA if kind.as_others else psk.CIPHERS_1_3):
            context = make(KEY)
        context.maximum_version = kind.version
        connection.encrypt(lambda sock: TlsChannel(sock, context, server=server, shared_key=True))


def main() -> None:
    print(machine())
    print("\n| | cipher | sender, s/GB | receiver, s/GB |\n| --- | --- | ---: | ---: |")
    for kind in KINDS:
        rounds = [measured(kind) for _ in range(ROUNDS)]
        sent, received = (statistics.median(each[column] for each in rounds) for column in (1, 2))
        print(f"| {kind.name} | {rounds[0][0]} | {sent:.2f} | {received:.2f} |", flush=True)


if __name__ == "__main__":
    main()
