from __future__ import annotations

import pytest

from filed.fileset.strip import stripped


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
