"""How a Job is shown while it runs."""

from __future__ import annotations

from contextlib import redirect_stderr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.cli import console as module
from filed.cli.console import Console, duration_words, size_words
from filed.process.outcome import Severity
from tests.cli.screen import terminal


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_345, "12.3 kB"), (999_999, "1 MB"), (5_000_000_000, "5 GB")],
)
def test_sizes_have_three_figures_and_decimal_units(count: int, words: str) -> None:
    assert size_words(count) == words


@given(st.integers(0, 10**19))
def test_a_size_in_words_is_never_long(count: int) -> None:
    assert len(size_words(count)) <= 9


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (4.2, "4.2 s"),
        (59.9, "59.9 s"),
        (59.97, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3600, "1 h 00 min"),
        (90061, "25 h 01 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def shown(capsys: pytest.CaptureFixture[str], *, quiet: bool, verbose: bool) -> list[str]:
    with Console("backup", quiet=quiet, verbose=verbose) as console:
        for severity in Severity:
            console.message(severity, f"[b]{severity.value}[/b]")
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_messages_go_to_stderr_with_their_weight(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, quiet=False, verbose=False) == [
        "[b]info[/b]",
        "Warning: [b]warning[/b]",
        "Error: [b]error[/b]",
        "Fatal error: [b]fatal[/b]",
    ]


def test_quiet_leaves_warnings_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line.split(":")[0] for line in shown(capsys, quiet=True, verbose=False)] == [
        "Warning",
        "Error",
        "Fatal error",
    ]


def test_verbose_shows_debug_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, quiet=False, verbose=True)[0] == "Debug: [b]debug[/b]"


def test_off_a_terminal_progress_is_a_plain_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    console = Console("backup", quiet=False, verbose=False)
    now[0] += module.PLAIN_EVERY_S - 1
    console.progress(1, 10, 0)
    assert capsys.readouterr().err == ""
    now[0] += 1
    console.progress(1234, 30_000_000, 60_000_000, b"/home/me/in progress\n")
    console.progress(1235, 30_000_001, 60_000_000)
    line = "backup: 1,234 files, 30 MB, 1 MB/s, 30.0 s, about 30.0 s left: /home/me/in progress\\n\n"
    assert capsys.readouterr().err == line


def test_quiet_shows_no_progress(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    console = Console("backup", quiet=True, verbose=False)
    now[0] += 1000
    console.progress(1, 10, 0)
    assert capsys.readouterr().err == ""


def test_no_time_is_promised_when_nobody_knows_how_much_there_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    console = Console("verify", quiet=False, verbose=False)
    for files, read, expected in ((2, 3_000_000, 0), (3, 0, 10)):
        now[0] += module.PLAIN_EVERY_S
        console.progress(files, read, expected)
    assert (
        capsys.readouterr().err == "verify: 2 files, 3 MB, 100 kB/s, 30.0 s\nverify: 3 files, 0 B, 0 B/s, 1 min 00 s\n"
    )


@given(st.integers(0, 10**17))
def test_a_size_in_words_is_off_by_half_a_percent_at_most(count: int) -> None:
    number, unit = size_words(count).split()
    factor = 1000 ** ["B", "kB", "MB", "GB", "TB", "PB"].index(unit)
    assert abs(float(number) * factor - count) <= max(count * 0.005, 0.5)


def test_a_terminal_gets_a_bar_that_goes_away_and_messages_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    long = "/" + "long/" * 60  # more than a line
    with terminal() as screen, redirect_stderr(screen.file):
        with Console("restore", quiet=False, verbose=False) as console:
            console.progress(4321, 5_000_000, 10_000_000, b"/" + b"long/" * 60 + b"[b]the file")
            console.message(Severity.WARNING, f"[bold]no markup[/bold] {long}")
        shown = screen.shown()
    assert f"Warning: [bold]no markup[/bold] {long}" in shown
    assert "restore: 4,321 files, 5 MB" in shown
    assert "long/[b]the file" in shown
    assert shown.endswith("\x1b[2K"), "the bar is wiped"


def test_quiet_means_no_bar_on_a_terminal_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with terminal() as screen, redirect_stderr(screen.file):
        with Console("backup", quiet=True, verbose=False) as console:
            console.progress(1, 2, 3)
            console.message(Severity.ERROR, "bad")
        assert screen.shown() == "Error: bad\r\n"
