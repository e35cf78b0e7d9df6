"""The careless agents, compiled: one library for each language. `ids` is what there is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import cffi

from abi import layout
from filed.cli.agent_new import TEMPLATES
from tests.agents.compile import ABI, compile_agent

HERE = Path(__file__).resolve().parent
ZIG_NAMES = {
    "char": "u8", "void": "anyopaque", "bp_ctx": "anyopaque", "bp_agent": "anyopaque", "bp_job": "anyopaque", "bp_stream": "anyopaque",
    "bp_status": "i32", "int32_t": "i32", "uint32_t": "u32", "int64_t": "i64", "uint64_t": "u64",
}  # fmt: skip
CALLS = frozenset(
    [
        "create",
        "option",
        "begin",
        "next_entries",
        "open_stream",
        "read",
        "close_stream",
        "restore_entry",
        "restore_stream",
        "write",
        "restore_done",
        "commit",
        "end",
        "destroy",
    ]
)


def c(directory: Path) -> Path:
    return compile_agent(HERE / "careless.c", directory, "careless")


def cpp(directory: Path) -> Path:
    return compile_agent(HERE / "careless.cc", directory, "careless-cc")


def python(directory: Path) -> Path:
    """A library that has Python in it, by cffi; in the host it meets the interpreter that is there already."""
    ffi = cffi.FFI()
    header = layout.without_stdint(layout.preprocess(layout.HEADER))
    types, _, _ = header.partition("const bp_descriptor * bplugin_query_v1")
    numbers = layout.constants(layout.HEADER)
    wanted = (HERE / "careless_py.py").read_text()
    named = [name for name in numbers if f"lib.{name}" in wanted]
    ffi.cdef(types + "".join(f"#define {name} ...\n" for name in named))
    slots = types[types.index("typedef struct bp_agent_api") : types.index("} bp_agent_api")]
    for returned, call, arguments in re.findall(r"(\w+) \( \*(\w+)\)\((.*?)\);", slots, re.DOTALL):
        if call in CALLS:
            ffi.cdef(f'extern "Python" {returned} agent_{call}({arguments});')
    ffi.embedding_api("const bp_descriptor *bplugin_query_v1(uint32_t, uint32_t);")
    ffi.embedding_init_code(wanted)
    ffi.set_source("careless_py", '#include "bplugin.h"')
    source = directory / "careless_py.c"
    ffi.emit_c_code(str(source))
    library = directory / "careless-py.so"
    includes = (f"-I{ABI}", f"-I{sysconfig.get_path('include')}")
    _run("gcc", "-O1", "-shared", "-fPIC", *includes, source, "-o", library)
    source.unlink()
    library.chmod(0o755)
    return library


def rust(directory: Path) -> Path:
    library = directory / "careless-rs.so"
    with tempfile.TemporaryDirectory() as scratch:
        for source in (HERE / "careless.rs", TEMPLATES / "rust" / "bplugin.rs"):
            shutil.copy(source, scratch)
        words = [
            "--edition",
            "2021",
            "--crate-type",
            "cdylib",
            "--crate-name",
            "careless",
            "-C",
            "opt-level=1",
            "-A",
            "dead_code",
        ]
        _run("rustc", *words, "-o", library, Path(scratch) / "careless.rs")
    library.chmod(0o755)
    return library


def zig(directory: Path) -> Path:
    library = directory / "careless-zig.so"
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(HERE / "careless.zig", scratch)
        (Path(scratch) / "bplugin.zig").write_text(_zig_binding())
        cache = ["--cache-dir", scratch, "--global-cache-dir", scratch]
        words = ["build-lib", "-dynamic", "-O", "Debug", "-fstrip", "-fno-stack-check", "-fno-compiler-rt"]
        runtime = _run("gcc", "-print-libgcc-file-name").strip()  # Zig would compile its own, which takes long
        source = Path(scratch) / "careless.zig"
        _run(sys.executable, "-m", "ziglang", *words, *cache, f"-femit-bin={library}", source, runtime)
    library.chmod(0o755)
    return library


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _zig_binding() -> str:
    """The header's structs and numbers, from its layout."""
    said = layout.manifest(layout.HEADER)
    lines = [f"pub const {name} = {value};" for name, value in said["constants"].items() if _is_number(name, value)]
    for name, struct in said["structs"]["LP64"].items():
        fields = (f"    {_zig_name(field)}: {_zig_type(one['type'])}," for field, one in struct["fields"].items())
        lines.append("\n".join((f"pub const {name} = extern struct {{", *fields, "};")))
    return "\n".join(lines) + "\n"


def _is_number(name: str, value: object) -> bool:
    return isinstance(value, int) and name.isidentifier()


def _zig_name(name: str) -> str:
    return f'@"{name}"' if name in {"defer", "type"} else name


def _zig_type(c_type: str) -> str:
    """`const char *` as `[*c]const u8`."""
    if function := re.fullmatch(r"(.+?)\s*\(\*\)\((.*)\)", c_type):
        arguments = ", ".join(_zig_type(one.strip()) for one in function[2].split(","))
        returned = "void" if function[1] == "void" else _zig_type(function[1])
        return f"?*const fn ({arguments}) callconv(.c) {returned}"
    if array := re.fullmatch(r"(\w+) \[(\d+)\]", c_type):
        return f"[{array[2]}]{_zig_type(array[1])}"
    if c_type.endswith("*"):
        inner = c_type[:-1].strip()
        opaque = inner.removeprefix("const ") in {"void", "bp_ctx", "bp_agent", "bp_job"}
        return f"?*{_zig_type(inner)}" if opaque else f"[*c]{_zig_type(inner)}"
    if c_type.endswith(" const"):
        return f"const {_zig_type(c_type.removesuffix(' const'))}"
    for word in ("const", "volatile"):
        if c_type.startswith(word + " "):
            return f"{word} {_zig_type(c_type.removeprefix(word).strip())}"
    return ZIG_NAMES.get(c_type, c_type)
