from __future__ import annotations

from pathlib import Path

from filed.director.post import ToTheDirector
from filed.director.scripts import Codes
from filed.wire.reply import MessageType
from tests.director.visiting import Visiting, prepared


class Noting(ToTheDirector):
    """A Post that notes what it is handed."""

    def __init__(self) -> None:
        self.handed: list[tuple[object, ...]] = []

    def goes_to(self, director: str, kind: MessageType) -> bool:
        return director == "a dir" and kind is not MessageType.INFO

    def deliver(self, kind: MessageType, text: str, codes: Codes) -> None:
        self.handed.append((kind, text, codes.expand("%j %i")))

    def over(self, codes: Codes, *, good: bool) -> None:
        self.handed.append((good, codes.expand("%e")))


def test_each_message_is_handed_over_and_the_end_of_the_job_told(tmp_path: Path) -> None:
    post = Noting()
    with Visiting(tmp_path, post=post) as talk:
        prepared(talk)
        talk.say(b"RunBeforeJob /bin/echo\x01hello\n", b"backup FileIndex=0\n")
        said = talk.rest()
    assert not any(b"hello" in packet for packet in said if isinstance(packet, bytes)), "what goes to others only"
    assert post.handed[1:] == [
        (MessageType.INFO, "a-fd JobId 7: ClientRunBeforeJob: hello", "Save.2026-11-23_10.14.28_03 7"),
        (True, "OK"),
    ]
