"""Four witnesses of one layout: the manifest we compute, the compilers, cffi, and the host's ctypes mirror."""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any

import cffi
import pytest

from abi import layout
from filed.agents import abi as mirror
from tests.agents.compile import ABI

TODAY = layout.manifest(layout.HEADER)


def assertions(model: str) -> str:
    """C that compiles only where every promise of the manifest is kept."""
    lines = ['#include <stddef.h>\n#include "bplugin.h"']
    structs = TODAY["structs"][model]
    for name in structs:
        lines.append(f'_Static_assert(sizeof({name}) == {structs[name]["size"]}, "size of {name}");')
        for field, one in structs[name]["fields"].items():
            at = f"(({name} *)0)->{field}"
            lines += [
                f'_Static_assert(offsetof({name}, {field}) == {one["offset"]}, "{name}.{field}");',
                f'_Static_assert(sizeof({at}) == {one["size"]}, "size of {name}.{field}");',
                f'_Static_assert(__builtin_types_compatible_p(__typeof__({at}), {one["type"]}), "{name}.{field}");',
            ]
    for name, value in TODAY["constants"].items():
        if isinstance(value, str):
            lines.append(f'_Static_assert(sizeof({name}) == {len(value) + 1}, "{name}");')
        else:
            text = f"{value}ull" if value > 2**31 else f"({value})"
            lines.append(f'_Static_assert({name} == {text}, "{name}");')
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("compiler", "model"),
    [
        (["gcc"], "LP64"),
        (["gcc", "-fshort-enums", "-funsigned-char"], "LP64"),
        (["x86_64-w64-mingw32-gcc"], "LLP64"),
        (["x86_64-w64-mingw32-gcc", "-mno-ms-bitfields"], "LLP64"),
    ],
    ids=["gcc", "gcc-other-enums", "mingw", "mingw-bitfields"],
)
def test_a_compiler_sees_what_the_manifest_says(tmp_path: Path, compiler: list[str], model: str) -> None:
    source = tmp_path / "witness.c"
    source.write_text(assertions(model))
    command = [*compiler, "-std=c11", "-fsyntax-only", f"-I{ABI}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_compiler_would_notice_a_wrong_manifest(tmp_path: Path) -> None:
    source = tmp_path / "witness.c"
    for wrong in ("heap_low) == 32", "sizeof(bp_entry) == 208", "bp_status (*)(bp_ctx *, uint32_t)"):
        text = assertions("LP64")
        assert wrong in text
        source.write_text(text.replace(wrong, wrong.replace("32", "64").replace("208", "216")))
        command = ["gcc", "-std=c11", "-fsyntax-only", f"-I{ABI}", str(source)]
        assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_cffi_sees_what_the_manifest_says() -> None:
    ffi = cffi.FFI()
    ffi.cdef(layout.without_stdint(layout.preprocess(layout.HEADER)))
    for name, struct in TODAY["structs"]["LP64"].items():
        assert ffi.sizeof(name) == struct["size"]
        fields = dict(ffi.typeof(name).fields)
        assert list(fields) == list(struct["fields"])
        for field, one in struct["fields"].items():
            assert fields[field].offset == one["offset"]
            assert ffi.sizeof(fields[field].type) == one["size"]
            assert fields[field].type is ffi.typeof(one["type"])


def mirror_of(struct: str) -> type[ctypes.Structure]:
    found = getattr(mirror, "".join(part.capitalize() for part in struct.split("_")))
    assert issubclass(found, ctypes.Structure)
    return found


def test_the_mirror_has_every_struct_of_the_header() -> None:
    for name in TODAY["structs"]["LP64"]:
        assert mirror_of(name)


@pytest.mark.parametrize("name", list(TODAY["structs"]["LP64"]))
def test_the_mirror_sees_what_the_manifest_says(name: str) -> None:
    struct, promised = mirror_of(name), TODAY["structs"]["LP64"][name]
    assert ctypes.sizeof(struct) == promised["size"]
    assert [field[0] for field in struct._fields_] == list(promised["fields"])
    for field, one in promised["fields"].items():
        assert (getattr(struct, field).offset, getattr(struct, field).size) == (one["offset"], one["size"]), field


def kind(ctype: Any) -> str:
    """What a ctypes type is to the machine: a pointer, or an integer with sign and width."""
    if ctype is None:
        return "void"
    if ctype in (ctypes.c_void_p, ctypes.c_char_p):
        return "pointer"
    signed = ctype(-1).value < 0
    return f"{'' if signed else 'u'}int{8 * ctypes.sizeof(ctype)}"


def kind_of_text(text: str) -> str:
    if text.endswith("*"):
        return "pointer"
    return {"void": "void", "bp_status": "int32"}.get(text, text.removesuffix("_t"))


@pytest.mark.parametrize("name", ["bp_host_api", "bp_agent_api"])
def test_the_mirror_has_the_signatures_of_the_header(name: str) -> None:
    types = dict(mirror_of(name)._fields_)
    slots = 0
    for field, one in TODAY["structs"]["LP64"][name]["fields"].items():
        match = re.fullmatch(r"(\w+) \(\*\)\((.*)\)", one["type"])
        if not match:
            continue
        slots += 1
        result, arguments = match[1], match[2].split(", ")
        assert kind(types[field]._restype_) == kind_of_text(result), field
        assert [kind(a) for a in types[field]._argtypes_] == [kind_of_text(a) for a in arguments], field
    assert slots == sum(hasattr(ctype, "_argtypes_") for ctype in types.values())


# The mirror's enumerations and the prefix of their members in the header. BpOption's flags share theirs with its types.
ENUMS: dict[str, type[IntEnum | IntFlag]] = {
    "BP_": mirror.Status,
    "BP_KIND_": mirror.Kind,
    "BP_LEVEL_": mirror.Level,
    "BP_STATE_": mirror.StateWhy,
    "BP_BEGIN_": mirror.BeginFlag,
    "BP_OUTCOME_": mirror.Outcome,
    "BP_VERDICT_": mirror.Verdict,
    "BP_MSG_": mirror.Severity,
    "BP_OS_": mirror.OsDomain,
    "BP_TYPE_": mirror.EntryType,
    "BP_CHANGE_": mirror.Change,
    "BP_ENTRY_": mirror.EntryFlag,
    "BP_HAS_": mirror.Has,
    "BP_ATTR_": mirror.Attr,
    "BP_STREAM_": mirror.AgentStream,
    "BP_OPT_": mirror.WantOption,
    "BP_REPLACE_": mirror.Replace,
    "BP_ACTION_": mirror.Action,
    "BP_RELEASE_": mirror.Release,
    "BP_FEATURE_": mirror.Feature,
    "BP_OPTION_": mirror.OptionType,
}
PLAIN = {
    "BP_BATCH_COMPLETE": mirror.BATCH_COMPLETE,
    "BP_BATCH_GAP": mirror.BATCH_GAP,
    "BP_CHUNK_LAST": mirror.CHUNK_LAST,
    "BP_SIZE_UNKNOWN": mirror.SIZE_UNKNOWN,
    "BP_MAX_STATE": mirror.MAX_STATE_BYTES,
    "BP_MAX_LARGE_STATE": mirror.MAX_LARGE_STATE_BYTES,
    "BP_MAX_HOLD": mirror.MAX_HOLD_BYTES,
    "BP_MIN_READ": mirror.MIN_READ_BYTES,
    "BP_MIN_PAGE": mirror.MIN_PAGE_BYTES,
}


def test_the_mirror_has_every_number_of_the_header() -> None:
    here: dict[str, int] = dict(PLAIN)
    for prefix, members in ENUMS.items():
        here |= {prefix + name: int(member) for name, member in members.__members__.items()}
    here |= {"BP_OPTION_" + name: int(member) for name, member in mirror.OptionFlag.__members__.items()}
    header = {name: value for name, value in TODAY["constants"].items() if "(" not in name}
    assert header.pop("BP_MAGIC").encode() + b"\0" == mirror.MAGIC
    tables = {name: text for name, text in header.items() if isinstance(text, str)}
    assert here | tables == header
    assert {name: getattr(mirror, name.removeprefix("BP_")).decode() for name in tables} == tables


def test_a_record_is_read_as_it_is_laid_out() -> None:
    """ENTRY.unpack gives each field of bp_entry in order, the two parts of a time one after another."""
    raw = mirror.BpEntry()
    for number, field in enumerate(name for name, _ in mirror.BpEntry._fields_):
        value = getattr(raw, field)
        if isinstance(value, mirror.BpTime):
            value.sec, value.nsec, value.reserved = -number, number, 0xFFFF_FFFF
        else:
            setattr(raw, field, number)
    entry = mirror.Entry._make(mirror.ENTRY.unpack(bytes(raw)))
    for number, field in enumerate(name for name, _ in mirror.BpEntry._fields_):
        if field.endswith("time"):
            assert (getattr(entry, field), getattr(entry, field + "_ns")) == (-number, number)
        else:
            assert getattr(entry, field) == number
    assert mirror.ENTRY.size == ctypes.sizeof(mirror.BpEntry)


def test_the_sizes_of_1_0_are_those_that_were_released() -> None:
    promised = json.loads((layout.HISTORY / "layout-1.0.json").read_text())["structs"]["LP64"]
    assert promised["bp_descriptor"]["size"] == mirror.DESCRIPTOR_1_0
    assert promised["bp_agent_api"]["size"] == mirror.AGENT_API_1_0
    assert promised["bp_option"]["size"] == mirror.OPTION_1_0
    assert mirror.ENTRY_1_0.size == promised["bp_entry"]["size"]
