"""Today's header is a superset of every released one, and the check that says so notices what it must."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from abi import layout

# What an editor of the header might do, and what has to be said about it; None: that is allowed.
APPEND = (
    r"(BP_FN\(void, destroy\)\(bp_agent \*\);\n)",
    r"\1  BP_FN(bp_status, pause)(bp_job *);\n",
)
NEW_VERSION = (r"(#define BP_HEADER_VERSION BP_VERSION\(1), \d+\)", r"\1, 9)")
REORDER = (
    r"(  BP_FN\(bp_status, ready\).*\n)((?:.*\n)*?)(  BP_FN\(bp_status, extension\)\(bp_agent .*\n)",
    r"\3\2\1",
)
PARAMETER = (r"(defer\)\(bp_ctx \*, )uint32_t", r"\1uint64_t")
RENAME = (r"BP_FN\(bp_status, commit\)", "BP_FN(bp_status, seal)")
RETYPE = (r"uint64_t cap;", "int64_t cap;")
NUMBER = (r"(#define BP_E_IO +)\(-5\)", r"\1(-6)")
GROWN_RECORD = (r"(typedef struct bp_chunk \{\n)", r"\1  uint64_t checksum;\n")
GROWN_FIXED = (r"(uint64_t options; .*\n)(\} bp_want;)", r"\1  uint64_t more;\n\2")
PARAMETER_NAME = (r"severity, const char \*utf8", "severity, const char *text")
COMMENT = (r"int32_t severity", "int32_t /* see above */ severity")


def edited(tmp_path: Path, *edits: tuple[str, str], of: Path = layout.HEADER) -> Path:
    text = of.read_text()
    for pattern, replacement in edits:
        text, count = re.subn(pattern, replacement, text)
        assert count == 1, pattern
    header = tmp_path / "bplugin.h"
    header.write_text(text)
    return header


def test_todays_header_keeps_every_released_promise() -> None:
    assert layout.released(), "nothing is released yet"
    assert layout.check(layout.HEADER) == []


def test_every_frozen_header_is_what_its_manifest_says() -> None:
    for number, manifest in layout.released().items():
        assert layout.manifest(layout.HISTORY / f"bplugin-{number}.h") == manifest


def test_the_frozen_header_of_todays_version_differs_from_it_in_words_alone() -> None:
    frozen = layout.HISTORY / f"bplugin-{layout.version(layout.HEADER)}.h"
    if frozen.exists():  # else today's version is not out yet
        assert layout.preprocess(frozen) == layout.preprocess(layout.HEADER)
        assert layout.constants(frozen) == layout.constants(layout.HEADER)


@pytest.mark.parametrize("path", list(layout.bound(layout.HEADER, layout.ROOT)), ids=lambda path: path.name)
def test_what_is_made_from_the_header_is_not_stale(path: Path) -> None:
    """`python abi/layout.py` brings it up to date."""
    assert path.read_text() == layout.bound(layout.HEADER, layout.ROOT)[path]


def test_what_is_made_from_a_header_follows_it(tmp_path: Path) -> None:
    for path in layout.bound(layout.HEADER, layout.ROOT):
        copy = tmp_path / path.relative_to(layout.ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    header = edited(tmp_path, (r"(#define BP_E_TOO_BIG +\(-46\).*\n)", r"\1#define BP_E_QUOTA (-47)\n"), APPEND)
    stale = layout.bind(header, tmp_path)
    assert {path.name for path in stale} == {"abi.py", "status_page.py", "abi_numbers.h", "bplugin.rs"}
    text = {path.name: path.read_text() for path in stale}
    assert "    E_QUOTA = -47\n" in text["abi.py"]
    assert '    "pause": ctypes.CFUNCTYPE(c_int32, c_void_p),\n' in text["abi.py"]
    assert "    pause = 22\n" in text["status_page.py"]
    assert "#define CALL_PAUSE          22\n" in text["abi_numbers.h"]
    assert 'pub pause: Option<unsafe extern "C" fn(*mut bp_job) -> bp_status>,\n' in text["bplugin.rs"]
    assert layout.bind(header, tmp_path) == []


def test_every_frozen_header_has_a_manifest() -> None:
    headers = {path.name for path in layout.HISTORY.glob("*.h")}
    assert headers == {f"bplugin-{number}.h" for number in layout.released()}


def test_an_older_target_makes_todays_header_the_older_one() -> None:
    for number, manifest in layout.released().items():
        major, minor = number.split(".")
        target = layout.manifest(layout.HEADER, f"-DBP_TARGET_VERSION=BP_VERSION({major},{minor})")
        assert {**target, "version": number} == manifest


def test_appending_with_a_new_version_is_allowed(tmp_path: Path) -> None:
    assert layout.check(edited(tmp_path, APPEND, NEW_VERSION)) == []


def test_appending_without_a_new_version_is_not(tmp_path: Path) -> None:
    (line, *_) = layout.check(edited(tmp_path, APPEND, of=layout.HISTORY / "bplugin-1.0.h"))
    assert "version 1.0 is released" in line
    assert "pause" in line


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (REORDER, "ready"),
        (PARAMETER, "defer"),
        (RENAME, "commit"),
        (RETYPE, "cap"),
        (NUMBER, "BP_E_IO"),
        (GROWN_RECORD, "bp_chunk"),
        (GROWN_FIXED, "bp_want"),
    ],
    ids=["reorder", "parameter", "rename", "retype", "number", "field in front", "fixed struct grows"],
)
def test_a_broken_promise_is_found_whatever_the_version(tmp_path: Path, edit: tuple[str, str], words: str) -> None:
    found = layout.check(edited(tmp_path, edit, NEW_VERSION))
    assert found
    assert all(line.startswith("against 1.0: ") for line in found)
    assert any(words in line for line in found)


@pytest.mark.parametrize("edit", [PARAMETER_NAME, COMMENT], ids=["parameter name", "comment"])
def test_words_may_change_freely(tmp_path: Path, edit: tuple[str, str]) -> None:
    assert layout.check(edited(tmp_path, edit)) == []


def test_a_type_that_differs_between_platforms_cannot_enter(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        layout.manifest(edited(tmp_path, (r"uint64_t cap;", "unsigned long cap;")))


def test_flat_records_have_no_holes_and_no_pointers() -> None:
    for structs in layout.manifest(layout.HEADER)["structs"].values():
        for name in ("bp_entry", "bp_chunk", "bp_time", "bp_want"):
            end = 0
            for field in structs[name]["fields"].values():
                assert field["offset"] == end
                assert "*" not in field["type"]
                assert field["size"] == 4 or field["offset"] % 8 == 0
                end += field["size"]
            assert structs[name]["size"] == end
            assert end % 8 == 0


def test_a_version_is_released_once(tmp_path: Path) -> None:
    header, manifest = layout.freeze(layout.HEADER, tmp_path)
    assert header.read_bytes() == layout.HEADER.read_bytes()
    assert json.loads(manifest.read_text()) == layout.manifest(layout.HEADER)
    with pytest.raises(FileExistsError):
        layout.freeze(layout.HEADER, tmp_path)
