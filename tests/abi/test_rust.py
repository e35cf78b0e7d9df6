"""The Rust binding that `filed agent new` hands out is bplugin.h: the same structs, signatures and numbers."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abi import layout
from filed.cli.agent_new import TEMPLATES

BINDING = TEMPLATES / "rust" / "bplugin.rs"
NAMES = {
    "uint32_t": "u32", "int32_t": "i32", "uint64_t": "u64", "int64_t": "i64", "void": "c_void", "char": "c_char",
}  # fmt: skip
KEYWORDS = {"type", "match", "where"}


def manifest() -> Any:
    return layout.manifest(layout.HEADER)


def rust_type(c_type: str) -> str:
    """`const char * const *` as `*const *const c_char`."""
    function = re.fullmatch(r"(.+?)\s*\(\*\)\((.*)\)", c_type)
    if function:
        parameters = ", ".join(rust_type(part.strip()) for part in function[2].split(","))
        returned = "" if function[1] == "void" else f" -> {rust_type(function[1])}"
        return f'Option<unsafe extern "C" fn({parameters}){returned}>'
    if c_type == "char [8]":
        return "[u8; 8]"
    if c_type.endswith("*"):
        inner = c_type[:-1].strip()
        if inner.endswith("const"):
            return f"*const {rust_type(inner.removesuffix('const').strip())}"
        words = [word for word in inner.split() if word not in {"const", "volatile"}]
        constant = inner.startswith("const ") and "*" not in inner
        if "*" in inner:
            return f"*mut {rust_type(inner)}"
        return f"*{'const' if constant else 'mut'} {rust_type(' '.join(words))}"
    return NAMES.get(c_type, c_type)


def constants(numbers: dict[str, Any]) -> Iterator[str]:
    for name, value in numbers.items():
        call = re.fullmatch(r"(BP_VERSION|BP_STREAM_BIT)\((.*)\)", name)
        known = f"{call[1].lower()}({call[2]})" if call else name
        if isinstance(value, int):
            yield f"    assert_eq!({known} as i128, {value}, {json.dumps(name)});"


def program() -> str:
    """A Rust program that does not compile, or fails, when the binding differs from the manifest."""
    said = manifest()
    lines = ["#[macro_use] mod bplugin;", "use bplugin::*;", "use std::ffi::c_void; use std::os::raw::c_char;"]
    lines += ['#[allow(unused)] fn used() -> *const c_char { cstr!("") }', "fn main() {"]
    lines += constants(said["constants"])
    for struct, about in said["structs"]["LP64"].items():
        lines.append(f'    assert_eq!(std::mem::size_of::<{struct}>(), {about["size"]}, "{struct}");')
        lines.append(f"    let whole = std::mem::MaybeUninit::<{struct}>::zeroed(); let at = whole.as_ptr();")
        for name, field in about["fields"].items():
            place = f"r#{name}" if name in KEYWORDS else name
            lines.append(
                f"    let p: *const {rust_type(field['type'])} = unsafe {{ std::ptr::addr_of!((*at).{place}) }};"
            )
            lines.append(f'    assert_eq!(p as usize - at as usize, {field["offset"]}, "{struct}.{name}");')
    return "\n".join([*lines, '    println!("equal");', "}"])


def run(directory: Path, source: str, binding: str) -> subprocess.CompletedProcess[str]:
    (directory / "main.rs").write_text(source)
    (directory / "bplugin.rs").write_text(binding)
    command = ["rustc", "--edition", "2021", "-A", "warnings", "-o", directory / "main", directory / "main.rs"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    return (
        made if made.returncode else subprocess.run([directory / "main"], capture_output=True, text=True, check=False)
    )


@pytest.fixture(autouse=True)
def _rust(programs: Callable[..., None]) -> None:
    programs("rustc")


def test_every_struct_signature_and_number_is_the_headers(tmp_path: Path) -> None:
    done = run(tmp_path, program(), BINDING.read_text())
    assert done.stdout == "equal\n", done.stderr


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("pub const BP_E_IO: bp_status = -5;", "pub const BP_E_IO: bp_status = -6;"),
        (
            "pub cookie: u64,\n    pub streams: u64,\n    pub valid",
            "pub streams: u64,\n    pub cookie: u64,\n    pub valid",
        ),
        (
            'pub close_stream: Option<unsafe extern "C" fn(*mut bp_job, bp_status)',
            'pub close_stream: Option<unsafe extern "C" fn(*mut bp_job, u32)',
        ),
        ("pub nlink: u32,", "pub nlink: u64,"),
    ],
    ids=["number", "order", "signature", "width"],
)
def test_a_binding_that_is_not_the_headers_is_found(tmp_path: Path, was: str, becomes: str) -> None:
    text = BINDING.read_text()
    assert text.count(was) == 1
    assert run(tmp_path, program(), text.replace(was, becomes)).returncode != 0


def test_no_constant_of_the_header_is_missing() -> None:
    known = set(re.findall(r"pub const (BP_\w+)", BINDING.read_text()))
    assert {name for name in manifest()["constants"] if "(" not in name} <= known
