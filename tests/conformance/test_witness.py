"""The witness hears what callbacks are called with, and what they answer."""

from __future__ import annotations

import pytest

from filed.agents import Begin, Kind, Level, Library, Settings, Severity, StatusPage
from filed.agents.instance import Agent
from filed.conformance.witness import WatchedCallbacks, Witness
from tests.agents.flows import take_all

SINS = {
    "message-huge": "a text of 4,294,967,295 bytes: the host cuts it at 8,192",
    "message-null": "its callback message was refused: the host answered BP_E_INVAL",
    "message-not-utf8": "a text for people is not UTF-8",
    "message-control": "a text with control characters",
    "message-severity": "its callback message was refused",
    "fail-positive": "its callback fail was refused",
    "match-null": "its callback match was refused",
    "secret-null": "its callback secret was refused",
    "message-flood": "100,000 messages: nobody reads so many",
}


def witnessed(library: Library, sin: str) -> Witness:
    status_page = StatusPage()
    witness = Witness(status_page, None)
    with (
        Agent(library, witness, status_page, Settings((("sin", sin),)), callbacks=WatchedCallbacks) as agent,
        agent.begin(Begin(Kind.BACKUP, Level.FULL, job="one")) as job,
    ):
        take_all(job)
    return witness


@pytest.mark.parametrize("sin", SINS)
def test_a_sin_in_a_callback_is_noted_once_with_its_call(checked_bad: Library, sin: str) -> None:
    findings = [finding for finding in witnessed(checked_bad, sin).findings if SINS[sin] in finding.rule]
    assert len(findings) == 1
    assert findings[0].call == ("" if sin == "message-flood" else "next_entries")


def test_calls_are_counted_and_messages_kept(checked_bad: Library) -> None:
    witness = witnessed(checked_bad, "page-failed")
    assert witness.calls["message"] == 1
    assert witness.messages == [(Severity.WARNING, "/@BAD/one cannot be read")]
    assert witness.findings == []
