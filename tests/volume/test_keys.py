"""Files of Volume keys, as Debian's key program writes them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from filed.errors import ConfigError
from filed.volume import read_volume_keys

SHORT, LONG = bytes(range(32)), bytes(range(64))


def put(path: Path, key: bytes, *more: str) -> Path:
    path.write_text("\n".join((f"cipher_key: {base64.b64encode(key).decode()}", *more, "")))
    path.chmod(0o600)
    return path


def test_a_key_is_that_of_its_volume_and_one_without_a_name_of_all_others(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    put(keys / "V1", LONG, "volume_name: V1", "cipher: AES_256_XTS")
    other = put(tmp_path / "other", SHORT, "cipher: AES_128_XTS", "comment: ours")
    known = read_volume_keys((keys, other))
    assert (known.of("V1"), known.of("V2")) == (LONG, SHORT)
    assert read_volume_keys((keys,)).of("V2") is None
    assert read_volume_keys(()).of("V1") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nothing", "no Volume key in it"),
        ("cipher_key: no/base64!", "no Volume key in it"),
        ("cipher_key: AAAA", "a Volume key of 3 bytes"),
        (f"cipher: AES_256_XTS\ncipher_key: {base64.b64encode(SHORT).decode()}", "a Volume key of 32 bytes"),
    ],
)
def test_what_is_no_key_is_named(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=why) as error:
        read_volume_keys((path,))
    assert str(path) in str(error.value)


def test_two_keys_for_any_volume_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a second key without a volume_name"):
        read_volume_keys((put(tmp_path / "a", SHORT), put(tmp_path / "b", LONG)))


def test_a_key_that_others_reach_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "key", SHORT)
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigError, match="others can read or write this Volume key; run: chmod 600"):
        read_volume_keys((path,))
    tmp_path.chmod(0o700)
    assert read_volume_keys((path,)).of("V") == SHORT


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the Volume key cannot be read: No such file"):
        read_volume_keys((tmp_path / "key",))
