"""Every stored input again, and a short time of new ones. For hours of it: `tests/fuzz/run.py`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.corpus import HERE, store, stored
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
STORED = {target: stored(target) for target in TARGETS}
SECONDS = int(os.environ.get("FILED_FUZZ_SECONDS", "10"))


@pytest.mark.parametrize("target", TARGETS)
def test_no_stored_input_breaks_anything(target: str) -> None:
    assert STORED[target]
    for data in STORED[target]:
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_like_a_stored_input_breaks_nothing(target: str, data: st.DataObject) -> None:
    """Where atheris cannot be had, this is all there is."""
    found = data.draw(st.sampled_from(STORED[target]))
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(found)))
        end = min(begin + data.draw(st.integers(0, 8)), len(found))
        found = found[:begin] + data.draw(st.binary(max_size=8)) + found[end:]
    TARGETS[target](found)


def test_every_corpus_has_its_target() -> None:
    assert {path.stem for path in HERE.iterdir()} == set(TARGETS)


@given(data=st.lists(st.binary(max_size=40)))
def test_what_is_stored_is_read_again(data: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("corpus")
    store("any", data, place)
    assert sorted(stored("any", place)) == sorted(set(data))


@pytest.mark.slow
def test_new_inputs_that_reach_new_code_break_nothing() -> None:
    if platform.machine() != "x86_64":
        pytest.skip("atheris has wheels for x86_64 only")
    command = [sys.executable, "-m", "tests.fuzz.run", "all", "--seconds", str(SECONDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS * 3 + 120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
