"""What consoles of 15 ask a File Daemon: `filed daemon` and bacula-fd 15 are asked the same, without a Director between."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass

import pytest

from filed.wire.auth import secret_of
from filed.wire.frame import Packet
from tests.director.dialogue import JOB, Dialogue
from tests.live.bacula import Bacula
from tests.live.daemons import BOTH
from tests.live.releases import BACULA_15

pytestmark = [pytest.mark.live, pytest.mark.skipif(not BACULA_15.there, reason="no Bacula 15 (tools/install-peers)")]

FRAMES = [f".status {what} api={api} api_opts=" for what in ("header", "running", "resources") for api in (0, 2)]
FRAMES += [".status terminated api=2 api_opts=", ".status statistics api=2 api_opts="]
SAME = [
    ".status statistics api=0 api_opts=",
    ".status terminated api=1 api_opts=",
    ".status current api=2 api_opts=",
    ".status last api=2 api_opts=",
    'query parameter="Q" plugin="P" value=""\n',
    "setdebug=0 trace=0 hangup=-1 blowup=-1 options= tags=\n",
    "setdebug=5 trace=-1 hangup=-1 blowup=-1 options=t tags=network,!volume\n",
    "setdebug=-1 trace=-1 hangup=-1 blowup=-1 options= tags=\n",
    "snapshot list name= volume= device= tdate=0 type=\n",
    "snapshot retention=100\n",
    "snapshot prune volume=x\n",
    "statistics format=simple metric\n",
    "query\n",
    "caps\n",
    "PluginFeatures\n",
]
LAST = ("query\n", "snapshot prune volume=x\n")
OWN_NUMBERS = {"SDReadSeqNo", "fd", "SDtls"}
"""Of bacula-fd's running Jobs: its own, and not told here."""


@dataclass
class Heard:
    """What one daemon answered, by what it was asked."""

    answers: dict[str, list[Packet]]

    def text(self, asked: str) -> str:
        return "".join(bytes(each).decode().rstrip("\0") for each in self.answers[asked] if isinstance(each, bytes))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Heard, Heard]:
    """Of `filed`, and of bacula-fd."""
    heard = []
    with Bacula(tmp_path_factory.mktemp("questions"), release=BACULA_15) as bacula:
        in_clear = "TLS PSK Enable = no"
        bacula.write_fd(f"{in_clear}\n  Plugin Directory = {BACULA_15.plugins}", in_clear)
        for daemon in BOTH:
            with daemon(bacula):
                asked = [*FRAMES, *SAME, "statistics all format=simple\n", "statistics all format=json\n"]
                heard.append(Heard({each: answer(bacula, each.encode()) for each in asked}))
    return heard[0], heard[1]


def answer(bacula: Bacula, asked: bytes) -> list[Packet]:
    """Up to where the daemon leaves, or waits for more: it is asked for the status behind that, which begins with an empty line."""
    sock = socket.create_connection(("127.0.0.1", bacula.ports["fd"]))
    with Dialogue(sock, bacula.director.encode(), secret_of(bacula.password.encode()), number=10_002) as talk:
        talk.say(JOB % 0)
        assert talk.text().startswith(b"2000 OK Job 15.0.3")
        if asked.decode() in LAST:
            talk.say(asked)
            return [each.rstrip(b"\0") if isinstance(each, bytes) else each for each in talk.rest()]
        talk.say(asked, b"status")
        found: list[Packet] = []
        while (packet := talk.packet()) != b"\n":
            found.append(packet.rstrip(b"\0") if isinstance(packet, bytes) else packet)
        return found


@pytest.mark.parametrize("asked", FRAMES)
def test_a_frame_has_the_keys_of_bacula_fd(both: tuple[Heard, Heard], asked: str) -> None:
    ours, theirs = (re.sub("(?m)^(\\w[^=\n]*)=.*", r"\1=", heard.text(asked)).split("\n") for heard in both)
    assert [line for line in ours if line != "program="] == [line for line in theirs if line[:-1] not in OWN_NUMBERS]


@pytest.mark.parametrize("asked", SAME)
def test_the_answer_is_that_of_bacula_fd(both: tuple[Heard, Heard], asked: str) -> None:
    ours, theirs = (heard.answers[asked] for heard in both)
    assert ours == theirs


def test_statistics_are_numbers_with_names_in_both_forms(both: tuple[Heard, Heard]) -> None:
    for heard in both:
        names = {line.partition("=")[0] for line in heard.text("statistics all format=simple\n").split()}
        assert "bacula.client.t-fd.memory.heap" in names
        rows = json.loads(heard.text("statistics all format=json\n"))
        assert {row["name"] for row in rows} == names
        assert all(set(row) == {"name", "value", "type", "unit", "description"} for row in rows)
