"""TLS by the standard library, as a Channel: whatever an SSLContext was told to use, certificates or a shared key."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final

from filed.transport.channel import NOTHING, HandshakeRefused, shut_down
from filed.transport.tls import certificate_names
from filed.transport.waiting import READ, WRITE
from filed.wire.stream import Buffer

WRONG_KEY: Final = frozenset(
    {
        *("BINDER_DOES_NOT_VERIFY", "TLSV1_ALERT_DECRYPT_ERROR", "SSLV3_ALERT_ILLEGAL_PARAMETER"),
        *("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "SSLV3_ALERT_BAD_RECORD_MAC"),
    }
)
"""What OpenSSL says of two keys that differ: in TLS 1.3, and in 1.2."""


class TlsChannel:
    """sock: plain, connected, not blocking; ours from now on. server: the side that was called.

    shared_key: the context knows one, and no certificate.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, *, server: bool, shared_key: bool = False) -> None:
        self.want, self._shared_key = READ, shared_key
        self._tls = context.wrap_socket(
            sock, server_side=server, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )

    @property
    def names(self) -> Sequence[str]:
        return certificate_names(self._tls.getpeercert() or {})

    @property
    def cipher(self) -> str:
        cipher = self._tls.cipher()
        return f"{self._tls.version()} {cipher[0]}" if cipher else ""

    def send(self, parts: Sequence[Buffer]) -> int:
        # OpenSSL wants the same bytes again when it could not send them; who calls offers no fewer.
        return max(self._tried(lambda: self._tls.send(parts[0])), 0)

    def recv_into(self, space: memoryview) -> int:
        return self._tried(lambda: self._tls.recv_into(space))

    def pending(self) -> int:
        return self._tls.pending()

    def handshake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self.want = READ
        except ssl.SSLWantWriteError:
            self.want = WRITE
        except ssl.SSLEOFError as error:
            raise _cut_off() from error
        except ssl.SSLError as error:
            wrong_key = self._shared_key and error.reason in WRONG_KEY
            why = "the passwords or keys of the two sides differ" if wrong_key else explain_tls(error)
            raise HandshakeRefused(errno.EPROTO, why) from error
        else:
            return True
        return False

    def plain(self) -> socket.socket:
        sock = socket.socket(fileno=self._tls.detach())
        sock.setblocking(False)
        return sock

    def interrupt(self) -> None:
        shut_down(self._tls)

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # most of all: the other's half has not ended
            self._tls.unwrap()  # says the end of ours; a peer takes a bare cut for an attack, and logs it
        with contextlib.suppress(OSError, ValueError):
            self._tls.close()

    def _tried(self, move: Callable[[], int]) -> int:
        """What `move` returns, or NOTHING when it has to be repeated."""
        try:
            return move()
        except (BlockingIOError, ssl.SSLWantReadError):
            self.want = READ
        except ssl.SSLWantWriteError:
            self.want = WRITE
        except ssl.SSLEOFError as error:
            raise _cut_off() from error
        except ssl.SSLError as error:
            raise OSError(errno.EPROTO, explain_tls(error)) from error
        return NOTHING


def _cut_off() -> OSError:
    return ConnectionAbortedError(errno.ECONNABORTED, "it closed the connection in the midst of TLS")


def explain_tls(error: ssl.SSLError) -> str:
    """OpenSSL's reason without its source lines."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    return (error.reason or str(error)).lower().replace("_", " ")
