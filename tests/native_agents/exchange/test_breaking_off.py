"""Restores that end before their time: what they say, what they leave, and that the next one brings everything back."""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.process.outcome import JobStatus, Severity
from tests.esesim.interface import EseError
from tests.esesim.simulator import MAILBOX, PUBLIC, Store
from tests.native_agents.exchange.jobs import Jobs, warnings
from tests.native_agents.exchange.test_restoring import lose_everything, recovered

LARGE = 256 << 20  # bytes; their digest alone takes several ticks of the console
HEADER_PAGES = 2 * 4096


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_a_database_that_is_canceled_half_way_looks_like_none_and_can_be_restored_again(
    jobs: Jobs, store: Store
) -> None:
    store.stretch(LARGE)
    ran = jobs.good()
    content = store.dump()
    mailbox = store.root / "g1" / "mbx.edb"
    lose_everything(store)
    canceled = jobs.restore(ran, stop=lambda: HEADER_PAGES < size_of(mailbox) < LARGE)
    assert canceled.outcome.status is JobStatus.CANCELED, canceled.messages
    assert not any("recovered," in text for text in canceled.texts(Severity.INFO))
    assert "did not come whole: it has no header" in " ".join(warnings(canceled))
    assert 0 < size_of(mailbox) < LARGE
    with mailbox.open("rb") as half:
        assert half.read(HEADER_PAGES) == bytes(HEADER_PAGES)
    with pytest.raises(EseError):
        store.mount(MAILBOX)
    assert not any((store.root / "restore").rglob("*"))  # nor logs that nobody would ever replay
    recovered(jobs.restore(ran))
    assert store.dump() == content


def test_a_restore_that_is_canceled_between_its_databases_can_be_done_again(jobs: Jobs, store: Store) -> None:
    store.stretch(LARGE, PUBLIC)
    ran = jobs.good()
    content = store.dump()
    lose_everything(store)
    public = store.root / "g1" / "pub (öffentlich).edb"
    canceled = jobs.restore(ran, stop=lambda: HEADER_PAGES < size_of(public) < LARGE)
    assert canceled.outcome.status is JobStatus.CANCELED, canceled.messages
    for database in (MAILBOX, PUBLIC):  # the one that came whole needs its logs, the other one is none
        with pytest.raises(EseError):
            store.mount(database)
    recovered(jobs.restore(ran))
    assert store.dump() == content


@pytest.mark.parametrize(
    ("call", "number", "begun"),
    [("HrESERestoreOpenFile", 2, [MAILBOX]), ("HrESERestoreComplete", 1, [MAILBOX, PUBLIC])],
)
def test_a_process_that_dies_in_a_restore_is_told_of_and_the_next_one_brings_everything_back(
    jobs: Jobs, store: Store, call: str, number: int, begun: list[str]
) -> None:
    ran = jobs.good()
    content = store.dump()
    lose_everything(store)
    store.fault(f"fail.{call}", f"{number}:die")
    died = jobs.restore(ran)
    assert died.outcome.status is JobStatus.FATAL
    assert "exchange" in died.outcome.text
    for database in begun:
        with pytest.raises(EseError):
            store.mount(database)
    store.fault(f"fail.{call}", None)
    recovered(jobs.restore(ran))
    assert store.dump() == content
