from __future__ import annotations

from pathlib import Path

import pytest

from filed.catalog import is_pattern
from filed.catalog.glob import fixed_part, path_pattern
from filed.errors import CatalogError
from tests.catalog.model import Item, backup, open_catalog


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (b"/etc/*.conf", [b"/etc/a.conf", b"/etc/.conf", b"/etc/d.conf/"], [b"/etc/d/a.conf", b"/etc/a.conf.d/"]),
        (b"/etc/**/a", [b"/etc/a", b"/etc/x/a", b"/etc/x/y/a"], [b"/etc/xa", b"/a"]),
        (b"/h**", [b"/h", b"/home/a/b"], [b"/etc/h"]),
        (b"/a?", [b"/ab", b"/a\xff"], [b"/a", b"/a/", b"/abc"]),
        (b"/[a-c]", [b"/a", b"/b/"], [b"/d", b"/-"]),
        (b"/[!a]x", [b"/bx"], [b"/ax", b"//x"]),
        (b"/[]]", [b"/]"], [b"/["]),
        (b"/a[", [b"/a["], [b"/a"]),
        (b"/.*", [b"/.x"], [b"/x"]),
    ],
)
def test_a_pattern_takes_what_a_shell_would(pattern: bytes, yes: list[bytes], no: list[bytes]) -> None:
    assert is_pattern(pattern)
    matches = path_pattern(pattern).match
    assert [path for path in yes if not matches(path)] == []
    assert [path for path in no if matches(path)] == []


def test_the_part_without_wild_cards_is_whole_directories() -> None:
    assert fixed_part(b"/etc/ssh/ho*/x") == b"/etc/ssh"
    assert fixed_part(b"/*") == b""


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(CatalogError, match="is no pattern"):
        path_pattern(b"/[z-a]")


def test_what_matches_is_looked_for_in_the_tree_of_a_job(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, {b"/e/a.c": Item(1), b"/e/b.c": Item(1), b"/e/d/a.c": Item(1), b"/f/a.c": Item(1)})
        last = backup(catalog, {b"/e/b.c": None, b"/e/n.c": Item(2)}, "I", full)
        assert [row.path for row in catalog.matching(last.job_id, b"/e/*.c")] == [b"/e/a.c", b"/e/n.c"]
        assert [row.path for row in catalog.matching(last.job_id, b"/?/a.c")] == [b"/e/a.c", b"/f/a.c"]
