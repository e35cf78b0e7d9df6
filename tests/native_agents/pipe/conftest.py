"""The agent, as shipped or as test_sanitized.py compiles it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.agents import Library, load
from filed.cli.agents import shipped_agents


@pytest.fixture(scope="session")
def library() -> Library:
    return load("pipe", [Path(os.environ.get("FILED_TEST_AGENTS") or shipped_agents())])
