from __future__ import annotations

import pytest

from filed.fileset.strip import prefix_of_stripped, stripped


@pytest.mark.parametrize(
    ("path", "count", "left"),
    [
        (b"/a/b/c", 0, b"/a/b/c"),
        (b"/a/b/c", 1, b"/b/c"),
        (b"/a/b/c", 2, b"/c"),
        (b"/a/b/c", 3, b"/a/b/c"),
        (b"/a/b/c", 9, b"/a/b/c"),
        (b"/a/b/", 1, b"/b/"),
        (b"/a/b/", 2, b"/a/b/"),
        (b"/", 1, b"/"),
        (b"/a\n/\xff", 1, b"/\xff"),
    ],
)
def test_names_are_those_of_bacula_fd(path: bytes, count: int, left: bytes) -> None:
    assert stripped(path, count) == left


@pytest.mark.parametrize(
    ("prefix", "count", "found"),
    [
        (b"/a/b", 0, b"/a/b"),
        (b"/a/b", 1, b"/b"),
        (b"/a/b", 2, b"/"),
        (b"/a/b/", 3, b"/"),
        (b"/", 1, b"/"),
        (b"/", 0, b"/"),
    ],
)
def test_a_prefix_holds_for_what_is_stripped_below_it(prefix: bytes, count: int, found: bytes) -> None:
    assert prefix_of_stripped(prefix, count) == found
    for below in (b"/x", b"/x/y/z"):
        name = stripped(prefix.rstrip(b"/") + below, count)
        assert name.startswith(found.rstrip(b"/") + b"/")
