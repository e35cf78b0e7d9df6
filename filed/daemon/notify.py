"""What systemd is told: ready, reloading, stopping. Nothing at all when it did not start us."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(state: str) -> None:
    """One datagram to the service manager. state: `READY=1` and the like, see sd_notify(3)."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect("\0" + path[1:] if path.startswith("@") else path)
        sock.send(state.encode())
