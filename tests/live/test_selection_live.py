"""`filed` selects what bacula-fd selects: random FileSets, the same Director, `estimate listing` of both. `selections.py` runs thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.releases import Release
from tests.live.selections import differences

pytestmark = pytest.mark.live

COUNT = 30


def test_both_would_save_the_same_names(tmp_path: Path, release: Release) -> None:
    found = list(differences(tmp_path, release, seed=15, count=COUNT))
    assert not found, "\n\n".join(found)
