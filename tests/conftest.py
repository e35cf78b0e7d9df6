"""What all tests share: peers that may be missing, and the rule that in CI nothing may be.

A test that needs another program asks for it: `programs("bls", "bscan")`, or the marker `live` for Debian's Bacula. On a
person's machine it is skipped when the program is missing; with CI=true every skip, of any origin, is a failure.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from typing import TypeVar

import pytest
from hypothesis import settings

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

IN_CI = os.environ.get("CI") == "true"
BACULA = ("bacula-dir", "bacula-sd", "bacula-fd", "bconsole", "bls", "bextract", "bscan")

# What `filed` remembers of the storages of a test is nobody's business, least of all the user's own.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="filed-state-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)

# Debian keeps Bacula's programs where only root's PATH looks.
if sys.platform != "win32":
    os.environ["PATH"] += ":/usr/sbin:/sbin"

# A deadline measures the machine's other guests.
# Under wine all is slow, and what is found by many examples shows on Linux.
EXAMPLES = 10 if sys.platform == "win32" else 100
settings.register_profile("filed", deadline=None, derandomize=IN_CI, print_blob=True, max_examples=EXAMPLES)
settings.load_profile("filed")


def _need(*names: str) -> None:
    missing = [name for name in names if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (tools/install-peers)")


@pytest.fixture
def programs() -> Callable[..., None]:
    """Call it with the names of the programs a test runs."""
    return _need


if sys.platform == "win32":
    from tests.windows import pytest_collection_modifyitems, pytest_ignore_collect

    __all__ = ["programs", "pytest_collection_modifyitems", "pytest_ignore_collect"]
else:
    collect_ignore_glob = ["**/test_on_windows.py"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("live"):
        _need(*BACULA)
    if item.get_closest_marker("root") and (sys.platform == "win32" or os.geteuid()):
        pytest.skip("needs root")


def _forbid_skip(report: Report) -> Report:
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: nothing may be skipped in CI: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _forbid_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _forbid_skip((yield))
