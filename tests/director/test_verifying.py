from __future__ import annotations

from pathlib import Path

from tests.director.visiting import Visiting


def test_a_verify_is_refused_with_the_reason(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"verify level=init\n")
        fatal, bad, _end = talk.rest()
    assert isinstance(fatal, bytes)
    assert b"Fatal error: verify: level init is not served" in fatal
    assert isinstance(bad, bytes)
    assert bad.startswith(b"2994 Bad verify command: ")
