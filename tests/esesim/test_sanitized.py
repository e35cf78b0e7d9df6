"""The simulator itself, with a build that watches its memory and its arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native_agents.sanitizing import run_watched


@pytest.mark.slow
def test_the_simulator_makes_no_mistake_that_a_sanitizer_sees(tmp_path: Path) -> None:
    run_watched(
        *(f"tests/esesim/test_{name}.py" for name in ("restore", "session", "stream", "truncation")), into=tmp_path
    )
