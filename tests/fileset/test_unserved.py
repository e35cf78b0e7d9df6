from __future__ import annotations

import pytest

from filed.errors import ConfigError
from filed.fileset import FileSet, Include, Options
from filed.fileset.model import Dedup, Replace
from filed.fileset.unserved import refuse_unserved, without_effect


def of(**options: object) -> FileSet:
    return FileSet((Include(options=(Options(), Options(**options))),))  # type: ignore[arg-type]


def test_an_option_plugin_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match='"crypt: x" within Options is not served'):
        refuse_unserved(of(plugin="crypt: x"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("drivetypes", ("fixed",)), ("dedup", Dedup.STORAGE), ("wildfile", (b"*.[[:alpha:]]", b"*.[a-z]"))],
)
def test_what_has_no_effect_is_told(name: str, value: object) -> None:
    refuse_unserved(of(**{name: value}))
    assert len(list(without_effect(of(**{name: value})))) == 1


@pytest.mark.parametrize(
    "options", [{}, {"portable": True, "hfsplus": True, "replace": Replace.NEVER}, {"dedup": Dedup.NONE}]
)
def test_what_changes_nothing_with_bacula_fd_either_is_let_pass(options: dict[str, object]) -> None:
    refuse_unserved(of(**options))
    assert list(without_effect(of(**options))) == []
