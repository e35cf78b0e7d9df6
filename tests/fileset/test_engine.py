"""The two bindings of RE2. What the one that is here finds is compared with libc in test_regex.py, whichever it is."""

from __future__ import annotations

import pytest

from filed.fileset.engine import PatternError, finder, in_perls, substitution


@pytest.mark.parametrize(
    ("posix", "perl"),
    [
        (r"^/a(b|c)*\.o$", r"^/a(b|c)*\.o$"),
        ("a+?b", "(?:a+)?b"),
        ("(ab)*?", "(?:(ab)*)?"),
        ("a**?", "(?:(?:a*)*)?"),
        ("x{2}{3,}", "(?:x{2}){3,}"),
        (r"\.+?", r"(?:\.+)?"),
        ("[]*a]+?[^]]*", "(?:[]*a]+)?[^]]*"),
        ("[[:alpha:]?]*", "[[:alpha:]?]*"),
        ("a{", "a{"),
        ("a|^*?", "a|(?:^*)?"),
    ],
)
def test_what_perl_reads_otherwise_is_rewritten(posix: str, perl: str) -> None:
    assert in_perls(posix) == perl


@pytest.mark.parametrize("wrong", ["(?i)x", "*a", "a|*b", "(+)", "{1}"])
def test_a_repetition_of_nothing_is_refused(wrong: str) -> None:
    with pytest.raises(PatternError, match="no argument for repetition operator: "):
        in_perls(wrong)
    with pytest.raises(PatternError, match="no argument for repetition operator: "):
        finder([wrong.encode()], ignore_case=False, by_byte=True)


def test_a_substitution_has_its_groups() -> None:
    pattern = substitution(rb"^/(h)OME", ignore_case=True)
    assert pattern.groups == 1
    assert pattern.sub(lambda match: b"/" + match[1] * 2, b"/home/x/\xff\n", 1) == b"/hh/x/\xff\n"
