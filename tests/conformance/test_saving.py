"""Backups as Jobs make them, and hosts with other pages, buffers and structs."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from filed.agents import Entry, EntryType
from filed.conformance import Checked, Verdict
from filed.conformance.saving import directories_before_their_content
from filed.conformance.walk import Seen
from tests.agents.compile import SOURCES, compile_agent
from tests.conformance.conftest import Checking, words

# check, flaw -> what is found
FLAWS = {
    ("backup", "dir-first"): "failed: next_entries: /@SUBTLE/d: a directory is listed before what is in it",
    (
        "backup",
        "cut",
    ): "failed: next_entries: /@SUBTLE/d/1: a size of 1,000 bytes is announced and 500 are read: the content is cut",
    ("verify", "state-always"): "failed: next_entries: : its callback put_state was refused: .*BP_E_SEQUENCE",
    ("estimate", "state-always"): "failed: next_entries: : its callback put_state was refused: .*BP_E_SEQUENCE",
    ("pages", "one-page"): "failed: next_entries: /@SUBTLE/d/1: pages of .* for 1 entries: an entry is listed no more",
    ("buffers", "cap"): "failed: read: /@SUBTLE/d/1: .* an entry has another content",
    ("filtered", "in-turn"): "failed: fetch: /@SUBTLE/d/.: an entry comes out differently when others",
    ("reread", "opens-once"): "failed: open_stream: /@SUBTLE/d/0: it was given something invalid",
    ("reread", "offset-ignored"): "failed: read: /@SUBTLE/d/1: a chunk at 0 after one that ended at 500",
    ("later-host", "stride"): "failed: backup|failed: next_entries: .*: ",
    ("later-host", "exact-size"): r"failed: begin: : what host is this\? \(BP_E_INVAL\)",
}
SINS = {
    "page-moved": "failed: next_entries: : it wrote over buf of bp_batch",
    "page-size-lie": "warning: next_entries: /@BAD/one: a size of 7 bytes is announced and 100,000 are read",
    "open-size-lie": "warning: open_stream: /@BAD/one: open_stream says 10 bytes and 100,000 are read",
    "page-failed": "warning: next_entries: /@BAD/one: an entry is FAILED",
    "page-name-shared": "warning: next_entries: /@BAD/one: an entry is listed 2 times",
    "page-complete-false": "warning: next_entries: : COMPLETE with nothing listed",
    "read-error": "warning: : /@BAD/one: an entry could not be read: .*the disk ends here: Input/output error",
    "return-end:-20": "warning: end: : its error is only logged",
    "message-control": r"warning: : : it told a user: line\\nJobId 1: forged",
}


@pytest.mark.parametrize("name", sorted({name for name, _ in FLAWS} | {"memory"}))
def test_an_agent_that_keeps_the_contract_passes(check: Checking, name: str) -> None:
    said = check(name)
    assert said.verdict is Verdict.PASSED, words(said)


@pytest.mark.parametrize(("name", "flaw"), FLAWS)
def test_a_flaw_is_found_in_the_call_where_it_is(check: Checking, name: str, flaw: str) -> None:
    said = check(name, flaw=flaw)
    assert said.verdict is Verdict.FAILED
    assert re.search(FLAWS[name, flaw], words(said))


@pytest.mark.parametrize("sin", SINS)
def test_what_a_job_would_take_is_told_all_the_same(check: Checking, sin: str) -> None:
    said = check("backup", "bad", sin=sin)
    assert said.verdict in (Verdict.WARNINGS, Verdict.FAILED)
    assert re.search(SINS[sin], words(said))


def test_what_is_kept_of_each_entry_shows_with_many(check: Checking) -> None:
    """What is kept is twice the bound: how much of it is resident depends on the machine."""
    said = check("memory", flaw="memory", files="60000")
    assert said.verdict is Verdict.FAILED
    assert re.search(r"60,002 entries listed, memory grew by \d{2,3}\.\d MB: [\d,]+ bytes for each", words(said))
    assert check("memory", files="60000").verdict is Verdict.PASSED


def test_access_times_stay_where_the_fileset_asks_for_it(check: Checking, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x" * 1000)
    library = compile_agent("atime.c", tmp_path, "atime")

    def said(**options: str) -> Checked:
        os.utime(file, (1, file.stat().st_mtime))  # older than the content: a mount with relatime shows the next read
        return check("access-times", library, paths=(os.fsencode(file),), **options)

    assert said(obeys="yes").verdict is Verdict.PASSED
    told = said()
    assert told.verdict is Verdict.FAILED
    assert "the access time changes, though the FileSet asks for NOATIME" in words(told)


def test_times_of_tomorrow_and_inodes_of_two_contents_are_found(check: Checking, tmp_path: Path) -> None:
    library = compile_agent(SOURCES.parent / "careless" / "careless.c", tmp_path, "careless")
    assert "next_entries: /@CARE/in/00: a time lies in the future" in words(
        check("backup", library, flaw="milliseconds")
    )
    said = words(check("backup", library, flaw="inode-of-page"))
    assert "failed: next_entries: /@CARE/in/09: a name of an inode has another content than its first name" in said


def test_a_directory_is_early_only_before_what_is_directly_in_it() -> None:
    def listed(*names: bytes) -> list[Seen]:
        return [Seen(Entry(type=EntryType.DIRECTORY if name.isupper() else EntryType.REGULAR), name) for name in names]

    assert directories_before_their_content(listed(b"/A/B/c", b"/A/B", b"/A", b"/")) == []
    assert directories_before_their_content(listed(b"/A", b"/A/b", b"/A/c")) == [b"/A"]
