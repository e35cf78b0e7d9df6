"""What several commands ask in the same way."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.cli.options import (
    host_name,
    needed_storage,
    opening_keys,
    parse_compression,
    parse_digest,
    path_bytes,
    saving_keys,
)
from filed.errors import ConfigError
from filed.fileset import Compression, CompressionKind, Signature
from filed.job.description import KeyFiles
from tests.cli.conftest import Filed, Saved


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("none", None),
        ("gzip", Compression(CompressionKind.GZIP, 6)),
        ("GZIP9", Compression(CompressionKind.GZIP, 9)),
        ("lzo", Compression(CompressionKind.LZO)),
        ("zstd", Compression(CompressionKind.ZSTD, 3)),
        ("zstd19", Compression(CompressionKind.ZSTD, 19)),
    ],
)
def test_a_compression_is_a_kind_and_a_level(text: str, found: Compression | None) -> None:
    assert parse_compression(text) == found


@pytest.mark.parametrize("text", ["gzip0", "gzip10", "zstd20", "zstdx", "lzo1", "bzip2", ""])
def test_what_is_no_compression_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(ConfigError, match="give gzip1 to gzip9, lzo, zstd1 to zstd19, or none"):
        parse_compression(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [("none", None), ("md5", Signature.MD5), ("SHA256", Signature.SHA256), ("xxh3-128", Signature.XXH3_128)],
)
def test_a_digest_by_its_name(text: str, found: Signature | None) -> None:
    assert parse_digest(text) is found


@pytest.mark.parametrize("text", ["crc32", "xxh3_64", ""])
def test_what_is_no_digest_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(ConfigError, match="give md5, sha1, sha256"):
        parse_digest(text)


def test_keys_are_the_pair_and_then_others_all_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    other = (Path("/etc/other.pem"),)
    assert saving_keys("pair.pem,/etc/other.pem") == KeyFiles(tmp_path / "pair.pem", masters=other)
    assert opening_keys("pair.pem,/etc/other.pem") == KeyFiles(tmp_path / "pair.pem", signers=other, encrypt=False)
    assert [saving_keys(""), saving_keys(None), opening_keys(""), opening_keys(None)] == [None] * 4


def test_a_path_is_absolute_without_dots_and_links_are_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    assert path_bytes("link/../link/./x") == os.fsencode(tmp_path / "link/x")
    assert path_bytes("/etc//passwd/") == b"/etc/passwd"
    assert path_bytes("\udcff") == os.fsencode(tmp_path) + b"/\xff"


def test_a_storage_is_needed_and_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert needed_storage(Path("v")) == tmp_path / "v"


def test_a_host_name_is_short() -> None:
    assert host_name()
    assert "." not in host_name()


@pytest.mark.parametrize(
    ("text", "path"),
    [("//etc", b"/etc"), ("///etc//x/./y/../z", b"/etc/x/z"), ("/", b"/"), ("//", b"/"), ("/..", b"/")],
)
def test_a_path_begins_with_one_slash(text: str, path: bytes) -> None:
    assert path_bytes(text) == path


@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name))
def test_any_path_is_a_fixed_point(name: bytes) -> None:
    once = path_bytes(os.fsdecode(name))
    assert path_bytes(os.fsdecode(once)) == once
    assert re.fullmatch(rb"(?s)/|(/(?!\.{1,2}(/|$))[^/]+)+", once)


def test_an_empty_path_is_not_the_current_directory(filed: Filed, tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match=r"a PATH is empty; for the current directory give \."):
        path_bytes("")
    assert filed("backup", "-s", tmp_path / "v", "").code == 1
    assert not (tmp_path / "v").exists()


ASKING = [
    ("backup", "/etc"),
    ("restore", "--where", "/tmp/never"),
    ("jobs",),
    ("ls",),
    ("find", "x"),
    ("diff", 1, 2),
    ("verify",),
    ("prune",),
    ("catalog", "check"),
    ("catalog", "rebuild"),
]


@pytest.mark.parametrize("words", ASKING)
def test_every_command_that_needs_a_directory_asks_for_it(
    filed: Filed, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...]
) -> None:
    monkeypatch.delenv("FILED_STORAGE", raising=False)
    said = filed(*words)
    assert (said.code, said.out) == (1, "")
    assert "which directory of Volumes? Give -s DIR, set FILED_STORAGE, or name a conf with -c." in said.err


@pytest.mark.parametrize("words", ASKING[1:])
def test_a_directory_that_is_not_there_is_named_itself(filed: Filed, tmp_path: Path, words: tuple[object, ...]) -> None:
    place = tmp_path / "nowhere"
    said = filed(*words, "-s", place)
    assert said.code == 1
    assert said.err.startswith(f"filed: {place} ")
    assert f"{tmp_path} " not in said.err
    assert not place.exists()


def test_a_conf_names_the_directory_too(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    conf = tmp_path / "filed.conf"
    conf.write_text(f'Storage {{ Name = S; Archive Device = "{saved.volumes}" }}')
    assert len(filed("jobs", "-c", conf, "--json").json) == 2
    assert filed("catalog", "check", "-c", conf).out == "the catalog is sound\n"


@pytest.mark.parametrize("words", [("jobs", "-s", ""), ("backup", "-s", "", "/etc"), ("restore", "--where", "")])
def test_a_variable_that_was_never_set_is_not_the_current_directory(
    filed: Filed, saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("FILED_STORAGE", str(saved.volumes))
    said = filed(*words)
    assert said.code == 1
    assert "it is empty; for the current directory give ." in said.err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("option", ["-s", "-c"])
def test_a_name_that_is_too_long_is_an_error_of_one_line(filed: Filed, option: str) -> None:
    name = "/" + "x" * 300
    said = filed("jobs", option, name)
    assert said.code == 1
    assert said.err.startswith(f"filed: {name}: ")
    assert "File name too long" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.root
def test_a_directory_that_one_may_not_look_into_is_named(place_of_nobody: Path) -> None:
    from tests.system.program import NOBODY
    from tests.system.program import filed as filed_as

    closed = place_of_nobody / "closed"
    closed.mkdir(mode=0o700)
    said = filed_as("jobs", "-s", closed / "volumes", user=NOBODY, code=1)
    assert said.err == f"filed: {closed}/volumes: Permission denied\n"


@pytest.fixture
def place_of_nobody() -> Iterator[Path]:
    """pytest's own directories are closed to other users."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
