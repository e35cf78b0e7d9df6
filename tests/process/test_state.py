from __future__ import annotations

import ctypes
import locale
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from filed.process.state import ProcessState
from filed.process.status_page import StatusPage
from tests.agents.flows import in_child


def ignore_in_c() -> None:
    ctypes.CDLL(None).signal(signal.SIGUSR2, 1)


@pytest.mark.parametrize(
    ("sin", "name"),
    [
        (ignore_in_c, "signal handlers"),
        (lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]), "signal mask"),
        (lambda: os.chdir("/proc"), "working directory"),
        (lambda: os.umask(0o123), "umask"),
        (lambda: os.close(0), "descriptors"),
        (lambda: os.dup2(os.open("/dev/zero", os.O_RDONLY), 2), "descriptors"),
        (lambda: os.setresgid(-1, 4711, -1), "users"),
        (
            lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8" if locale.setlocale(locale.LC_ALL) == "C" else "C"),
            "locale",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_changed_is_named(sin: Callable[[], object], name: str) -> None:
    if name == "users" and os.geteuid():
        pytest.skip("needs root")

    def work(_status_page: StatusPage) -> str:
        before = ProcessState.now()
        sin()
        return before.difference(ProcessState.now())

    assert in_child(work) == f"ok: {name}"


def test_nothing_changed_is_nothing() -> None:
    assert ProcessState.now().difference(ProcessState.now()) == ""


def test_a_further_descriptor_can_be_watched() -> None:
    reader, writer = os.pipe()
    before = ProcessState.now((reader,))
    os.close(reader)
    assert before.difference(ProcessState.now((reader,))) == "descriptors"
    os.close(writer)


def test_a_process_without_a_spare_descriptor_is_told() -> None:
    def work(_status_page: StatusPage) -> str:
        before = ProcessState.now()
        kept = []
        try:
            while True:
                kept.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            said = before.difference(ProcessState.now())
        for descriptor in kept:
            os.close(descriptor)
        return said

    assert in_child(work) == "ok: spare descriptors"


def test_a_directory_that_is_gone_is_still_where_we_are(tmp_path: Path) -> None:
    def work(_status_page: StatusPage) -> str:
        here = tmp_path / "here"
        here.mkdir()
        os.chdir(here)
        before = ProcessState.now()
        here.rmdir()
        return before.difference(ProcessState.now())

    assert in_child(work) == "ok: "
