from __future__ import annotations

from pathlib import Path

import pytest

from filed.agents.secret import MAX_SECRET_BYTES, Secret
from filed.errors import ConfigError


def test_a_secret_is_itself_unless_it_says_where_it_is() -> None:
    assert Secret("ge:heim").read() == b"ge:heim"
    assert Secret("file:/x", literal=True).read() == b"file:/x"


def test_a_secret_shows_itself_to_nobody() -> None:
    assert "geheim" not in repr(Secret("geheim")) + str(Secret("geheim"))


def test_a_file_s_last_newline_does_not_belong_to_it(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes(b" geheim \r\n")
    path.chmod(0o600)
    assert Secret(f"file:{path}").read() == b" geheim "
    path.write_bytes(b"changed\n\n")
    assert Secret(f"file:{path}").read() == b"changed\n"


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("geheim")
    path.chmod(0o604)
    with pytest.raises(ConfigError, match="chmod o-rwx") as refused:
        Secret(f"file:{path}").read()
    assert "geheim" not in str(refused.value)


def test_a_file_that_is_missing_too_big_or_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read an agent's secret from"):
        Secret(f"file:{tmp_path}/none").read()
    with pytest.raises(ConfigError, match="cannot read"):
        Secret(f"file:{tmp_path}").read()
    path = tmp_path / "big"
    path.write_bytes(bytes(MAX_SECRET_BYTES + 1))
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="too big"):
        Secret(f"file:{path}").read()


def test_the_environment_of_the_service_is_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILED_TEST_SECRET", "geheim")
    assert Secret("env:FILED_TEST_SECRET").read() == b"geheim"
    monkeypatch.delenv("FILED_TEST_SECRET")
    with pytest.raises(ConfigError, match="the environment has no FILED_TEST_SECRET"):
        Secret("env:FILED_TEST_SECRET").read()
