"""TLS with a shared key and no certificates, as Bacula 11 to 15 have it: SSLContexts of the standard library that know one key.

Python 3.13 and newer take the key by a public call. 3.11 and 3.12 have the same OpenSSL below and no call for it: there the context's own
SSL_CTX is given the callbacks by ctypes. It is the first field behind the object's head in both, which are frozen, and what is found
there has to answer with the context's own options before anything is set (`_ssl_ctx`).

Source: docs/formats/network.md, "TLS". Imports nothing of filed, so that a test can load it in other interpreters.
"""

from __future__ import annotations

import ctypes
import functools
import ssl
import sys
import weakref
from collections.abc import Callable
from typing import Any, Final

IDENTITY: Final = "Client_identity"
"""What a client calls itself; no server looks at it."""
CIPHER_1_2: Final = "PSK-AES256-CBC-SHA"
"""The one that the real daemons take below TLS 1.3."""
CIPHERS_1_3: Final = b"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
"""Those that fit the key, the cheaper first: on a processor with AES a third less time than the other."""

_FROZEN: Final = ((3, 11), (3, 12))


@functools.cache
def why_not() -> str:
    """Why this Python cannot do it; "" when it can."""
    if hasattr(ssl.SSLContext, "set_psk_server_callback"):
        return "" if ssl.HAS_PSK else "its OpenSSL is built without shared keys"  # type: ignore[attr-defined]
    try:
        _Library.loaded()
        _ssl_ctx(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except (OSError, AttributeError, ValueError) as error:
        return f"Python {sys.version.split()[0]} has no call for it, and its ssl module is built in an unknown way: {error}"
    return ""


def psk_server_context(key: bytes) -> ssl.SSLContext:
    """For a peer that called us and has to know `key`. Raises ValueError where this Python cannot."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # nobody comes back to this conversation
    _prepare(context)
    if hasattr(context, "set_psk_server_callback"):
        context.set_psk_server_callback(lambda _identity: key)
    else:
        _set_server_key(context, key)
    return context


def psk_client_context(key: bytes) -> ssl.SSLContext:
    """For a peer that we call and that has to know `key`. Raises ValueError where this Python cannot."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # there is no certificate: who knows the key is the one
    _prepare(context)
    if hasattr(context, "set_psk_client_callback"):
        context.set_psk_client_callback(lambda _hint: (IDENTITY, key))
    else:
        _set_client_key(context, key)
    return context


def _prepare(context: ssl.SSLContext) -> None:
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHER_1_2)
    if hasattr(context, "set_ciphersuites"):  # Python 3.15
        context.set_ciphersuites(CIPHERS_1_3.decode())
    elif sys.version_info[:2] in _FROZEN:
        _Library.loaded().set_ciphersuites(_ssl_ctx(context), CIPHERS_1_3)


# -- Python 3.11 and 3.12 ---------------------------------------------------------------------------------------------

_ServerCallback = ctypes.CFUNCTYPE(
    ctypes.c_uint, ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_ubyte), ctypes.c_uint
)
_ClientCallback = ctypes.CFUNCTYPE(
    ctypes.c_uint,
    *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_uint),
    *(ctypes.POINTER(ctypes.c_ubyte), ctypes.c_uint),
)

_kept: weakref.WeakKeyDictionary[ssl.SSLContext, Any] = weakref.WeakKeyDictionary()
"""OpenSSL calls these for as long as their context lives, and does not keep them."""


class _Library:
    """The OpenSSL that the ssl module is linked with."""

    _only: _Library | None = None

    def __init__(self) -> None:
        import _ssl  # noqa: PLC0415  private, and named in one place

        openssl = ctypes.CDLL(_ssl.__file__)
        self.get_options = _call(openssl.SSL_CTX_get_options, ctypes.c_uint64, ctypes.c_void_p)
        self.set_ciphersuites = _call(openssl.SSL_CTX_set_ciphersuites, ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)
        self.set_session_id = _call(
            openssl.SSL_CTX_set_session_id_context, ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint
        )
        self.set_server_callback = _call(
            openssl.SSL_CTX_set_psk_server_callback, None, ctypes.c_void_p, _ServerCallback
        )
        self.set_client_callback = _call(
            openssl.SSL_CTX_set_psk_client_callback, None, ctypes.c_void_p, _ClientCallback
        )

    @classmethod
    def loaded(cls) -> _Library:
        if cls._only is None:
            cls._only = cls()
        return cls._only


def _call(function: Any, result: Any, *arguments: Any) -> Callable[..., Any]:
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]


def _ssl_ctx(context: ssl.SSLContext) -> int:
    """The SSL_CTX* of a context. Raises ValueError where it does not lie where these versions have it."""
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in _FROZEN or hasattr(sys, "gettotalrefcount"):
        raise ValueError("its objects may lie otherwise in memory")
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
    if not pointer or _Library.loaded().get_options(pointer) != int(context.options):
        raise ValueError("an SSLContext does not begin with its SSL_CTX")
    return pointer


def _set_server_key(context: ssl.SSLContext, key: bytes) -> None:
    def callback(_ssl: int, _identity: bytes, place: Any, room: int) -> int:
        return _put(key, place, room)

    _kept[context] = _ServerCallback(callback)
    _Library.loaded().set_server_callback(_ssl_ctx(context), _kept[context])


def _set_client_key(context: ssl.SSLContext, key: bytes) -> None:
    def callback(_ssl: int, _hint: bytes, identity: int, room_for_it: int, place: Any, room: int) -> int:
        name = IDENTITY.encode() + b"\0"
        if len(name) > room_for_it:
            return 0
        ctypes.memmove(identity, name, len(name))
        return _put(key, place, room)

    _kept[context] = _ClientCallback(callback)
    library = _Library.loaded()
    library.set_client_callback(_ssl_ctx(context), _kept[context])
    # A name that Python sets for servers; with one, OpenSSL takes the key for a session of somebody else.
    library.set_session_id(_ssl_ctx(context), b"", 0)


def _put(key: bytes, place: Any, room: int) -> int:
    """Hand the key to OpenSSL; 0 refuses."""
    if len(key) > room:
        return 0
    ctypes.memmove(place, key, len(key))
    return len(key)
