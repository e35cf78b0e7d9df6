"""TLS with a shared key: who knows it gets in, by both versions of TLS, with each Python that is here."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from filed.errors import AuthenticationError, ConnectionLost, FiledError
from filed.transport import Connection, TlsChannel, psk, psk_client_context, psk_server_context

KEY = b"0123456789abcdef0123456789abcdef"
MODULE = Path(psk.__file__)
OTHERS = sorted(
    {str(found) for found in Path.home().glob(".pyenv/versions/3.1[1-9].*/bin/python3")}
    | {found for minor in range(11, 16) if (found := shutil.which(f"python3.{minor}", path="/usr/bin:/usr/local/bin"))}
    | {sys.executable}
)
HANDSHAKE = """
import importlib.util, socket, ssl, sys, threading
spec = importlib.util.spec_from_file_location("psk", sys.argv[1])
psk = sys.modules["psk"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(psk)
assert not psk.why_not(), psk.why_not()
for version in ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2:
    near, far = socket.socketpair()
    server = psk.psk_server_context(b"k" * 32)
    def serve():
        with server.wrap_socket(far, server_side=True) as tls:
            tls.sendall(tls.recv(5))
    thread = threading.Thread(target=serve)
    thread.start()
    client = psk.psk_client_context(b"k" * 32)
    client.maximum_version = version
    with client.wrap_socket(near) as tls:
        tls.sendall(b"hello")
        assert tls.recv(5) == b"hello"
        print(tls.version(), tls.cipher()[0])
    thread.join()
"""


def meet(theirs: bytes, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> tuple[Connection, Connection | FiledError]:
    """We are called by somebody who knows the key `theirs`: the caller's end, and ours or what became of it."""
    near, far = socket.socketpair()
    called, caller = Connection(near, "the Director"), Connection(far, "the client")
    found: list[Connection | FiledError] = []

    def serve() -> None:
        context = psk_server_context(KEY)
        context.maximum_version = version
        try:
            called.encrypt(lambda sock: TlsChannel(sock, context, server=True, shared_key=True))
            found.append(called)
        except FiledError as error:
            called.close()
            found.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    context = psk_client_context(theirs)
    try:
        caller.encrypt(lambda sock: TlsChannel(sock, context, server=False, shared_key=True))
    except FiledError:
        caller.close()
        raise
    finally:
        thread.join()
    return caller, found[0]


@pytest.mark.parametrize(
    ("version", "cipher"),
    [(ssl.TLSVersion.TLSv1_3, "TLSv1.3 TLS_"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2 PSK-AES256-CBC-SHA")],
)
def test_both_sides_know_the_key_and_no_certificate(version: ssl.TLSVersion, cipher: str) -> None:
    caller, called = meet(KEY, version)
    assert isinstance(called, Connection)
    assert caller.cipher == called.cipher
    assert caller.cipher.startswith(cipher)
    assert not caller.names
    caller.send(b"1000 OK auth\n")
    assert called.receive() == b"1000 OK auth\n"
    caller.close()
    called.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
@pytest.mark.parametrize("theirs", [b"another key", KEY[:-1], KEY + b"0"])
def test_another_key_is_refused_and_named_as_the_reason(theirs: bytes, version: ssl.TLSVersion) -> None:
    with pytest.raises((AuthenticationError, ConnectionLost)) as caller:
        meet(theirs, version)
    assert KEY.decode() not in str(caller.value)
    assert isinstance(caller.value, ConnectionLost) or "the passwords or keys of the two sides differ" in str(
        caller.value
    )


def test_who_is_called_says_that_the_passwords_differ() -> None:
    near, far = socket.socketpair()
    called = Connection(near, 'Director "a-dir"')
    context = psk_client_context(b"another")
    other = context.wrap_bio(incoming := ssl.MemoryBIO(), outgoing := ssl.MemoryBIO())
    with pytest.raises(ssl.SSLWantReadError):
        other.do_handshake()
    far.sendall(outgoing.read())
    server = psk_server_context(KEY)
    with pytest.raises(AuthenticationError, match=r'TLS with Director "a-dir" could not begin: the passwords or keys'):
        called.encrypt(lambda sock: TlsChannel(sock, server, server=True, shared_key=True))
    incoming.write_eof()
    called.close()
    far.close()


def test_one_without_any_key_is_refused() -> None:
    near, far = socket.socketpair()
    called = Connection(near, "the Director")
    anonymous = ssl.create_default_context()
    anonymous.check_hostname, anonymous.verify_mode = False, ssl.CERT_NONE
    other = anonymous.wrap_bio(ssl.MemoryBIO(), outgoing := ssl.MemoryBIO())
    with pytest.raises(ssl.SSLWantReadError):
        other.do_handshake()
    far.sendall(outgoing.read())
    server = psk_server_context(KEY)
    with pytest.raises(AuthenticationError, match="could not begin"):
        called.encrypt(lambda sock: TlsChannel(sock, server, server=True, shared_key=True))
    called.close()
    far.close()


def test_a_key_that_is_too_long_for_openssl_lets_nobody_in() -> None:
    with pytest.raises((AuthenticationError, ConnectionLost)):
        meet(bytes([65]) * 5000)


@pytest.mark.parametrize("python", OTHERS)
def test_each_python_that_is_here_can_do_it(python: str) -> None:
    done = subprocess.run([python, "-W", "error", "-c", HANDSHAKE, str(MODULE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("TLSv1.3 TLS_")
    assert second == "TLSv1.2 PSK-AES256-CBC-SHA"
