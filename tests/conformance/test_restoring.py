"""What was read comes back, below `where` and nowhere else."""

from __future__ import annotations

import re

import pytest

from filed.conformance import Verdict
from tests.conformance.conftest import Checking, words

FLAWS = {
    (
        "restore",
        "shifted",
    ): "failed: restore_done: /@SUBTLE/d/7: the restored content, 49,001 bytes, is not what was read",
    ("restore", "no-mode"): "failed: restore_done: /@SUBTLE/d/0: the mode is 600 and was 640",
    ("restore", "no-time"): r"failed: restore_done: /@SUBTLE/d/0: the modification time is \d+ and was 1700000000",
    ("restore", "not-restored"): "failed: restore_done: /@SUBTLE/d/3: an entry was restored, others are there, and it",
    ("restore", "ignores-never"): "failed: restore_entry: /@SUBTLE/d/0: replace NEVER",
    (
        "restore",
        "ignores-newer",
    ): "failed: restore_entry: /@SUBTLE/d/0: replace IFNEWER, and it asks for the data of a file that",
    ("order", "times-early"): "failed: restore_done: /@SUBTLE/d: the modification time is",
    ("gaps", "no-gaps"): "failed: write: /@SUBTLE/d/0: restored content: a gap in the offsets",
    ("restore", "where-exists"): "warning: : /@SUBTLE/d/0: an entry could not be restored: .*No such file",
    ("corrupt", "corrupt-fails"): "failed: restore_done: .*/@SUBTLE/d/0: it failed without saying why",
    ("corrupt", "corrupt-removed"): "failed: restore_done: : of 20 files whose digest did not match, 0 are kept",
    (
        "replaced",
        "stays-always",
    ): "failed: restore_entry: /@SUBTLE/d/0: replace ALWAYS, and it leaves a file with another",
    (
        "replaced",
        "stays-if-newer",
    ): "failed: restore_entry: /@SUBTLE/d/0: replace IFNEWER, and it leaves a file that is older",
    ("links", "through-link"): "failed: restore_entry: : it wrote outside of where",
}


@pytest.mark.parametrize("name", ["restore", "replaced", "order", "gaps", "corrupt", "given-up-restore", "links"])
def test_an_agent_that_keeps_the_contract_passes(check: Checking, name: str) -> None:
    said = check(name)
    assert said.verdict is Verdict.PASSED, words(said)
    if name == "restore":
        assert "22 entries given back, 22 compared on the disk" in words(said)


@pytest.mark.parametrize(("name", "flaw"), FLAWS)
def test_a_flaw_is_found(check: Checking, name: str, flaw: str) -> None:
    said = check(name, flaw=flaw)
    assert said.verdict in (Verdict.FAILED, Verdict.WARNINGS)
    assert re.search(FLAWS[name, flaw], words(said))


def test_an_agent_that_restores_elsewhere_is_not_compared(check: Checking) -> None:
    assert "restores to elsewhere than below where" in words(check("restore", "golden"))


def test_an_end_in_the_middle_of_a_file_that_crashes_is_named(check: Checking) -> None:
    assert "failed: end: : crashed (SIGSEGV)" in words(check("given-up-restore", "bad", sin="crash-end"))
