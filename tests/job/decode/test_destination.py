"""The names by which an agent gets an entry."""

from __future__ import annotations

import pytest

from filed.job.decode.destination import Destination, Names
from filed.job.decode.renaming import Renaming
from filed.wire.attributes import Attributes, FileType


@pytest.mark.parametrize(
    ("where", "path", "name", "dest"),
    [
        (b"", b"/a/b", b"/a/b", b"/a/b"),
        (b"/to", b"/a/b", b"/a/b", b"/to/a/b"),
        (b"/to/", b"/a/", b"/a", b"/to/a"),
        (b"/to", b"/", b"/", b"/to/"),
        (b"/to", b"@SQLITE/x", b"@SQLITE/x", b"/to/@SQLITE/x"),
        (b"", b"@SQLITE/x", b"@SQLITE/x", b"@SQLITE/x"),
    ],
)
def test_everything_goes_below_where(where: bytes, path: bytes, name: bytes, dest: bytes) -> None:
    assert Destination(where, Renaming()).names(Attributes(1, FileType.REGULAR, path, b"")) == Names(name, b"", dest)


def test_a_hard_link_leads_to_the_final_path_and_a_symbolic_one_where_it_led() -> None:
    below = Destination(b"/to", Renaming())
    assert below.names(Attributes(1, FileType.HARD_LINK, b"/b", b"", b"/a")).link == b"/to/a"
    assert below.names(Attributes(1, FileType.SYMLINK, b"/b", b"", b"/a")).link == b"/a"
