"""The way to a Job's Storage Daemon: tried again for as long as the conf says."""

from __future__ import annotations

import time
from typing import Final

from filed.errors import ConnectionLost
from filed.job.bell import readable
from filed.job.description import DirectorJob, StorageDaemon
from filed.job.workplace import Workplace
from filed.storage.daemon_session import StorageAddress, open_storage
from filed.transport import CONNECT_TIMEOUT_S, Bandwidth, Connection
from filed.volume import Session

AGAIN_AFTER_S: Final = 10.0


def reach(place: Workplace, storage: StorageDaemon, who: DirectorJob) -> Connection:
    """A greeted connection. Raises ConnectionLost when it could not be had in time, AuthenticationError, JobCanceled."""
    address = StorageAddress(
        storage.address,
        storage.port,
        who.job.encode("utf-8", "surrogateescape"),
        storage.key.encode("utf-8", "surrogateescape"),
        session_of(who),
        who.client.encode("utf-8", "surrogateescape"),
        storage.tls,
        source=storage.source,
        compress=storage.compress,
        keepalive_s=storage.keepalive_s,
    )
    bandwidth = Bandwidth(lambda: place.pulse.bandwidth, time.monotonic)
    until = time.monotonic() + storage.connect_timeout_s
    while True:
        try:
            patience_s = min(CONNECT_TIMEOUT_S, max(until - time.monotonic(), AGAIN_AFTER_S))
            return open_storage(address, doorbell=place.bell, bandwidth=bandwidth, timeout_s=patience_s)
        except ConnectionLost as error:
            if time.monotonic() + AGAIN_AFTER_S > until:
                raise
            place.warn_once(f"{error}; tried again every {AGAIN_AFTER_S:.0f} s")
        readable(place.bell, timeout_s=AGAIN_AFTER_S)
        place.check_canceled()


def count_lines(place: Workplace, connection: Connection) -> None:
    """What was said to a Storage Daemon that is done with, for the Director's report."""
    place.totals.comm_bytes += connection.sent_bytes + connection.saved_bytes
    place.totals.compressed_comm_bytes += connection.sent_bytes


def session_of(who: DirectorJob) -> Session:
    return Session(who.vol_session_id, who.vol_session_time)
