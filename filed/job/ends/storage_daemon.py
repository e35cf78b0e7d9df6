"""The way to a Job's Storage Daemon, tried again for as long as the conf says; or the wait for its call, for as long."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from filed.errors import AuthenticationError, ConnectionLost, JobCanceled, JobError, RemoteProtocolError
from filed.job.context import Counters, JobContext
from filed.job.description import DirectorJob, NetworkTest, StorageDaemon
from filed.process.handed_socket import take_call
from filed.process.outcome import JobStatus, Outcome
from filed.process.system import readable
from filed.storage.daemon.network_test import measured
from filed.storage.daemon.session import StorageAddress, open_storage, take_over
from filed.transport import CONNECT_TIMEOUT_S, Bandwidth, Connection
from filed.volume import Session
from filed.wire.version import numbered

AGAIN_AFTER_S: Final = 10.0


def reach(context: JobContext, storage: StorageDaemon, who: DirectorJob) -> Connection:
    """A greeted connection, which may be there already. Raises ConnectionLost or JobError when it could not be had in time, AuthenticationError, JobCanceled."""
    if context.storage is not None:
        return context.storage
    address = _address(storage, who)
    bandwidth = Bandwidth(lambda: context.status_page.bandwidth, time.monotonic)
    until = time.monotonic() + storage.connect_timeout_s
    if storage.port:
        connection = _call(context, address, bandwidth, until)
    else:
        connection = _be_called(context, storage, address, bandwidth, until)
    if address.version.early_tls:  # as bacula-fd of that release says it; before, nobody did
        how = "with TLS" if connection.cipher else "without encryption"
        context.messages.info(f"Connected to Storage at {storage.address}:{storage.port} {how}")
    return connection


def measure(job: NetworkTest, context: JobContext) -> Outcome:
    """Tell a console of the way to a Storage Daemon. Raises FiledError."""
    connection = reach(context, job.storage, job.who)
    for line in measured(connection, job.size, job.packets):
        context.parent.send({"event": "listing", "lines": [line]})
    connection.take_leave()
    return context.ended(JobStatus.OK)


def _address(storage: StorageDaemon, who: DirectorJob) -> StorageAddress:
    return StorageAddress(
        storage.address,
        storage.port,
        who.job.encode("utf-8", "surrogateescape"),
        storage.key.encode("utf-8", "surrogateescape"),
        session_of(who),
        who.client.encode("utf-8", "surrogateescape"),
        storage.tls,
        numbered(storage.protocol),
        source=storage.source,
        compress=storage.compress,
        keepalive_s=storage.keepalive_s,
    )


def _call(context: JobContext, address: StorageAddress, bandwidth: Bandwidth, until: float) -> Connection:
    while True:
        try:
            patience_s = min(CONNECT_TIMEOUT_S, max(until - time.monotonic(), AGAIN_AFTER_S))
            return open_storage(
                address, cancel_pipe=context.cancellation.pipe, bandwidth=bandwidth, timeout_s=patience_s
            )
        except ConnectionLost as error:
            if time.monotonic() + AGAIN_AFTER_S > until:
                raise
            context.messages.warn_once(f"{error}; tried again every {AGAIN_AFTER_S:.0f} s")
        readable(context.cancellation.pipe, timeout_s=AGAIN_AFTER_S)
        context.cancellation.check()


def _be_called(
    context: JobContext, storage: StorageDaemon, address: StorageAddress, bandwidth: Bandwidth, until: float
) -> Connection:
    """The Director has the Storage Daemon call us (`SD Calls Client`). One that proves nothing does not end the wait."""
    assert context.parent.calls is not None  # a Director's Job has it
    while readable(
        context.parent.calls.fileno(), context.cancellation.pipe, timeout_s=max(until - time.monotonic(), 0.0)
    ):
        context.cancellation.check()
        call = take_call(context.parent.calls)
        if call is None:
            raise JobCanceled("nobody waits for the Job any more")
        called = replace(address, caller=call.caller)
        try:
            return take_over(call.sock, called, call.tls, context.cancellation.pipe, bandwidth)
        except (AuthenticationError, ConnectionLost, RemoteProtocolError) as error:
            if call.tls is not None:
                raise
            context.messages.warning(f"{error}; still waiting for the Storage Daemon")
    raise JobError(
        f"the Storage Daemon at {storage.address} was to call us (SD Calls Client in the Director's conf), and did not within"
        f" {storage.connect_timeout_s:.0f} s; can it reach the Address and the FD Port that the Director has for us?"
    )


def count_lines(counters: Counters, connection: Connection) -> None:
    """What was said to a Storage Daemon that is done with, for the Director's report."""
    counters.sent_lines(connection.sent_bytes + connection.saved_bytes, connection.sent_bytes)


def session_of(who: DirectorJob) -> Session:
    return Session(who.vol_session_id, who.vol_session_time)
