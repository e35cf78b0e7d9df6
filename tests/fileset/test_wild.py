"""Our wild cards against libc's fnmatch(3), which bacula-fd's own are like but for classes."""

import ctypes
import re
import time

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from filed.fileset import wild

FNM_PATHNAME = 1
FNM_CASEFOLD = 16
LC_CTYPE = 0
libc = ctypes.CDLL(None)
libc.setlocale.restype = ctypes.c_char_p


@pytest.fixture(scope="module", autouse=True)
def _utf8_names():
    libc.setlocale.argtypes = [ctypes.c_int, ctypes.c_char_p]
    before = libc.setlocale(LC_CTYPE, None)
    assert libc.setlocale(LC_CTYPE, b"C.UTF-8")
    yield
    libc.setlocale(LC_CTYPE, before)


def libc_matches(pattern: str, name: str, flags: int = 0) -> bool:
    return libc.fnmatch(pattern.encode("utf-8", "surrogateescape"), name.encode("utf-8", "surrogateescape"), flags) == 0


def ours(pattern: str, name: str, *, ignore_case: bool = False, pathname: bool = False) -> bool:
    patterns = [pattern.encode("utf-8", "surrogateescape")]
    return bool(wild.matcher(patterns, ignore_case=ignore_case, pathname=pathname)(name))


NAMED_SET = re.compile(r"\[[:.=]")
PATTERN = st.text(alphabet="ab/.*?[]!^-\\:xé", max_size=12).filter(lambda pattern: not NAMED_SET.search(pattern))
PIECES = st.lists(
    st.sampled_from(
        [
            "*",
            "?",
            "a",
            "b",
            "/",
            ".",
            "[ab]",
            "[!a]",
            "[^/]",
            "[a-c]",
            "[]a]",
            "\\*",
            "é",
        ]
    ),
    max_size=8,
).map("".join)
NAME = st.text(alphabet="ab/.*[]!^-\\:xé1", max_size=10)
NAMES = r"f.! f.- f.. f.5 f.:] f.=] f.A f.[] f.\ f.] f.^ f.a f.a] f.b f.c f.q f.x f.z]"
ASCII_NAME = NAME.map(lambda name: name.replace("é", "e"))


@settings(max_examples=1500, deadline=None)
@given(PATTERN | PIECES, ASCII_NAME)
@example("[a-c-e]", "-")
@example("[\\]]", "]")
@example("a[b/c]d", "a/d")
@example("*.ba*k", "/x.ba/.bak")
def test_a_name_matches_exactly_when_libc_says_so(pattern, name):
    assume(not pattern.endswith(("-", "\\")))  # libc has two minds about an open bracket with an open range
    assert ours(pattern, name) == libc_matches(pattern, name)


@pytest.mark.parametrize("pattern", ["*\\", "*/[a\\", "*/[!\\", "*/[a-\\", "*/a[b\\"])
def test_a_backslash_at_the_end_is_itself_as_in_bacula_fd_and_an_open_bracket_before_it_too(pattern):
    name = pattern.replace("*", "/x")
    assert ours(pattern, name)
    assert not ours(pattern, name[:-1])
    assert not ours(pattern, name + "a")


@settings(max_examples=1000, deadline=None)
@given(PATTERN | PIECES, NAME)
def test_what_matches_by_characters_matches_in_libc_which_also_counts_bytes(pattern, name):
    assume("[!" not in pattern and "[^" not in pattern and not pattern.endswith(("-", "\\")))
    if ours(pattern, name):
        assert libc_matches(pattern, name)


@settings(max_examples=700, deadline=None)
@given(PATTERN | PIECES, ASCII_NAME)
def test_ignoring_case_is_libcs(pattern, name):
    assume(not pattern.endswith(("-", "\\")))
    for shown in (name, name.upper()):
        assert ours(pattern, shown, ignore_case=True) == libc_matches(pattern, shown, FNM_CASEFOLD)


@settings(max_examples=700, deadline=None)
@given(PIECES, ASCII_NAME)
def test_enhanced_wild_stops_at_slashes_as_libc_does(pattern, name):
    assume("[" not in pattern or "/" not in pattern[pattern.find("[") :])  # libc: a slash breaks a bracket
    assert ours(pattern, name, pathname=True) == libc_matches(pattern, name, FNM_PATHNAME)


@given(st.binary(max_size=12).map(lambda b: b.replace(b"\0", b"")))
def test_any_bytes_as_a_pattern_compile(pattern):
    wild.matcher([pattern])("x")


@pytest.mark.parametrize(
    ("pattern", "left_out"),
    [
        ("*.[[:alpha:]]", "f.:] f.[] f.a]"),
        ("*.[[:digit:]]", "f.:] f.[]"),
        ("*.[[.a.]]", "f.[] f.a]"),
        ("*.[[=a=]]", "f.=] f.[] f.a]"),
        ("*.[[:alpha:]x]", ""),
        ("*.[:alpha:]", "f.a"),
        ("*.[]a]", "f.] f.a"),
        ("*.[!]a]", "f.! f.- f.. f.5 f.A f.\\ f.^ f.b f.c f.q f.x"),
        ("*.[\\]]", "f.]"),
    ],
)
def test_what_bacula_fd_9_6_7_leaves_out_of_a_listing(pattern, left_out):
    assert [name for name in NAMES.split() if ours(pattern, name)] == left_out.split()


def test_an_odd_byte_counts_as_one_character():
    name = b"caf\xe9.o".decode("utf-8", "surrogateescape")
    assert ours("caf?.o", name)
    assert ours("*.o", name)
    assert wild.matcher([b"caf\xe9.*"])(name)


def test_several_patterns_are_one_question():
    matches = wild.matcher([b"*.o", b"*/cache", b"/tmp/*"])
    assert matches("/a/b.o")
    assert matches("/a/cache")
    assert matches("/tmp/a/b")
    assert not matches("/a/b.c")


def test_a_base_pattern_looks_behind_the_last_slash_only():
    matches = wild.matcher([], [b"core*"])
    assert matches("/usr/core.1")
    assert matches("core")
    assert not matches("/core/x")


def test_a_hostile_pattern_takes_no_time():
    matches = wild.matcher([b"*a" * 40 + b"b"])
    start = time.monotonic()
    assert not matches("a" * 4000)
    assert time.monotonic() - start < 60
