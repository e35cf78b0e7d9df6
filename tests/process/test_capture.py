from __future__ import annotations

import ctypes
import os
import signal

from filed.process.capture import Capture
from filed.process.status_page import StatusPage
from tests.agents.flows import in_child


def in_forked(capture: Capture, *writes: bytes, crash: bool = False) -> None:
    def work(_status_page: StatusPage) -> None:
        capture.redirect()
        for write in writes:
            os.write(2, write)
        if crash:
            os.abort()

    in_child(work)


def test_what_is_printed_comes_back_in_whole_lines() -> None:
    capture = Capture()
    in_forked(capture, b"one\ntwo\nthr", b"ee\nrest")
    assert capture.lines() == ["one", "two", "three"]
    assert capture.lines() == []
    assert capture.lines(final=True) == ["rest"]
    assert capture.lines(final=True) == []
    capture.close()


def test_the_last_words_of_a_dying_process_are_heard() -> None:
    capture = Capture()
    in_forked(capture, b"terminate called without an active exception\n", crash=True)
    assert capture.lines() == ["terminate called without an active exception"]
    capture.close()


def test_a_flood_does_not_block_and_is_cut_off() -> None:
    capture = Capture()

    def work(_status_page: StatusPage) -> bool:
        capture.redirect()
        try:
            for _ in range(100):
                os.write(1, b"x" * 65536)
        except BlockingIOError:
            return True
        return False

    assert in_child(work) == "ok: True"
    lines = capture.lines(final=True)
    assert sum(map(len, lines)) < 1 << 20
    capture.close()


def test_controls_cannot_forge_a_line() -> None:
    capture = Capture()
    in_forked(capture, b"a\x1b[2J\xffb\n")
    assert capture.lines() == ["a\\x1b[2J\\xffb"]
    capture.close()


def test_what_stdio_still_holds_is_flushed() -> None:
    capture = Capture()

    def work(_status_page: StatusPage) -> None:
        capture.redirect()
        ctypes.CDLL(None).puts(b"through stdio")
        capture.flush()

    in_child(work)
    assert capture.lines() == ["through stdio"]
    capture.close()


def test_a_whole_line_through_stdio_survives_a_crash() -> None:
    """Block by block, as stdio writes into a pipe, the last words would die with the process."""
    capture = Capture()

    def work(_status_page: StatusPage) -> None:
        capture.redirect()
        ctypes.CDLL(None).puts(b"assertion failed")
        os.kill(os.getpid(), signal.SIGKILL)

    assert "SIGKILL" in in_child(work)
    assert capture.lines() == ["assertion failed"]
    capture.close()


def test_both_ends_are_known_to_who_tidies_descriptors() -> None:
    capture = Capture()
    reader, writer = capture.descriptors
    os.write(writer, b"through\n")
    assert os.read(reader, 100) == b"through\n"
    capture.close()
