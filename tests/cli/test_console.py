"""How a Job is shown while it runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.cli import console as module
from filed.cli.console import Console, duration_words, size_words
from filed.job.outcome import Severity


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
    console.progress(1234, 30_000_000, 60_000_000)
    console.progress(1235, 30_000_001, 60_000_000)
    assert capsys.readouterr().err == "backup: 1,234 files, 30 MB, 1 MB/s, about 30.0 s left\n"


def test_quiet_shows_no_progress(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    console = Console("backup", quiet=True, verbose=False)
    now[0] += 1000
    console.progress(1, 10, 0)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_there_is_a_bar_and_messages_stand_above_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
    with Console("backup", quiet=False, verbose=False) as console:
        console.progress(5, 10, 20)
        console.message(Severity.WARNING, "[red]a file[/red] has changed")
    assert "Warning: [red]a file[/red] has changed" in capsys.readouterr().err
