"""How a test expects a call to be refused."""

from __future__ import annotations

import pytest

from tests.esesim.interface import Ese, EseError


def refused(code: Ese) -> pytest.RaisesExc[EseError]:
    return pytest.RaisesExc(EseError, check=lambda error: error.code == code)
