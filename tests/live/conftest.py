"""A test that asks for `release` runs against each of Bacula's releases in turn."""

from __future__ import annotations

import pytest

from tests.live.releases import RELEASES, Release


@pytest.fixture(scope="module", params=RELEASES, ids=str)
def release(request: pytest.FixtureRequest) -> Release:
    made: Release = request.param
    if not made.there:
        pytest.skip(f"Bacula {made} is not there (tools/install-peers)")
    return made
