"""The proof of both sides, on a connection that we opened."""

from __future__ import annotations

from filed.transport.connection import Connection
from filed.wire.auth import Challenge, MutualProof, Proof, TlsNeed


def prove(connection: Connection, challenge: Challenge, secret: bytes, packet: bytes) -> TlsNeed | None:
    """CRAM-MD5, beginning with their challenge in `packet`; returns what they want of TLS.

    challenge: ours, fresh. Raises AuthenticationError, ConnectionLost, RemoteProtocolError.
    """
    connection.phase = "authentication"
    proof = MutualProof(challenge, secret, connection.peer, challenges_first=False)
    while True:
        if answer := proof.receive(packet):
            connection.send(*answer)
        if proof.state is Proof.FAILED:
            raise proof.refusal
        if proof.state is Proof.GIVEN:
            return proof.their_tls
        packet = connection.receive_text()
