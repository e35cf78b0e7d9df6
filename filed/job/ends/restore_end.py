"""What a restore wants of its far end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from filed.agents import Saved
from filed.job.decode.batches import Gathering
from filed.job.decode.receive import Receiving
from filed.pipeline import Decoder
from filed.storage import ReadSession
from filed.volume import Session


class RestoreEnd(Protocol):
    """Where a restore's records come from."""

    job_id: int

    @property
    def saved(self) -> Saved:
        """What is known of what is restored, once the first round has begun."""

    def dry_run(self) -> list[bytes] | None:
        """Of a restore that is only planned: the plugin commands of what it would restore, each once. None: it is to be done."""

    def rounds(self, receiving: Receiving) -> Iterator[tuple[ReadSession, Gathering]]:
        """Each read session, once `receiving` knows whose records they are. It is read to its end before the next is asked for."""

    def begin_session(self, session: Session, decoder: Decoder) -> None:
        """Records of this Job follow."""

    def mark_restored(self, agent: str) -> None:
        """This agent is about to restore: what its states refer to is another past from now on, even if this Job fails."""

    def finish(self) -> None:
        """All agents have committed."""
