"""Our regular expressions against libc's regexec(3) with REG_EXTENDED."""

import ctypes
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filed.errors import JobError
from filed.fileset import regex

REG_EXTENDED, REG_ICASE, REG_NOSUB = 1, 2, 8
libc = ctypes.CDLL(None)


def libc_finds(pattern: bytes, text: bytes, flags: int = 0) -> bool | None:
    """None: libc refuses the pattern."""
    compiled = ctypes.create_string_buffer(256)
    if libc.regcomp(compiled, pattern, REG_EXTENDED | REG_NOSUB | flags):
        return None
    try:
        return libc.regexec(compiled, text, ctypes.c_size_t(0), None, 0) == 0
    finally:
        libc.regfree(compiled)


PIECES = st.lists(
    st.sampled_from(
        [
            *("a", "b", "c", ".", "/", "^", "$", "a*", "b+", "c?", "[ab]", "[^/]", "[a-c]", "[]a]", "[\\.]", "[a\\]"),
            *("(a|b)", "(ab)*", "a{2}", "b{1,2}", "\\.", "\\/", "\\-", "\\d", "\\w", "\\W", "\\b", "\\e"),
            *("[[:alpha:]]", "[[:digit:]/]", "[^[:space:]]", "[[.a.]]", "[a[]", "\\$", "\\^", "|a", "a{,2}"),
            *(")", "(a)|b)", "())", "\\`", "\\'", "**", "a+*", "()", "(|a)", "{", "}"),
        ]
    ),
    min_size=1,
    max_size=6,
).map(lambda pieces: "".join(pieces).encode())
TEXT = st.text(alphabet="abcde/.\\-[] 1$^", max_size=10).map(str.encode)


@settings(max_examples=2000, deadline=None)
@given(PIECES, TEXT)
@example(rb"[\.]", b"\\")
@example(rb"\d", b"d")
@example(rb".*\.bak$", b"/x/y.bak")
@example(rb"a)$", b"a)")
@example(rb"\`/x.o\'", b"/x.o")
def test_a_path_is_found_exactly_when_libc_finds_it(pattern, text):
    expected = libc_finds(pattern, text)
    if expected is not None:
        assert bool(regex.matcher([pattern], ignore_case=False)(text)) == expected


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([b"ABC", b"[a-c]/", b"\\.O$", b"[[:upper:]]x"]), TEXT)
def test_ignoring_case_is_libcs(pattern, text):
    expected = libc_finds(pattern, text, REG_ICASE)
    assert bool(regex.matcher([pattern], ignore_case=True)(text)) == expected


def test_what_people_write_is_accepted():
    for pattern in (rb".*\.(jpg|mp3)$", rb"^/home/[^/]+/\.cache/", rb"[\/]temp", rb"^[A-Z]:/windows", rb"\.~[0-9]+~$"):
        regex.matcher([pattern], ignore_case=True)


def test_a_back_reference_is_refused_by_name():
    with pytest.raises(JobError, match=re.escape('regex "(a)\\1" cannot be used: back-references')):
        regex.matcher([rb"(a)\1"], ignore_case=False)


def test_a_broken_pattern_is_refused_with_the_reason():
    with pytest.raises(JobError, match=r'regex "\(a" cannot be used: missing \)'):
        regex.matcher([b"(a"], ignore_case=False)


def test_any_of_several_patterns_is_enough():
    finds = regex.matcher([b"a$", b"b$"], ignore_case=False)
    assert finds(b"xa")
    assert finds(b"xb")
    assert not finds(b"xc")


def test_a_dot_is_a_character_and_of_a_broken_name_a_byte():
    finds = regex.matcher([b"^a.b$"], ignore_case=False)
    assert finds("aéb".encode())
    assert finds(b"a\xe9b")
    assert not finds("aééb".encode())


@given(st.binary(max_size=12).map(lambda b: b.replace(b"\0", b"")), st.binary(max_size=8))
def test_any_bytes_compile_or_are_refused(pattern, text):
    try:
        regex.matcher([pattern], ignore_case=False)(text)
    except JobError as error:
        assert "cannot be used" in str(error)  # noqa: PT017
