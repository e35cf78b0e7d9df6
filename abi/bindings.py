"""What other languages know of bplugin.h, made from it: `python abi/layout.py` writes each file, tests/abi says which is stale.

    filed/agents/abi.py                          the host's mirror: enumerations, structs for ctypes, signatures, places in a bp_entry
    filed/process/status_page.py                 the numbers of the agents' calls, by which the status page names them
    native_host/restore_loop/abi_numbers.h       the same for C, and where the words of the status page stand
    filed/cli/agent_templates/rust/bplugin.rs    structs, signatures and constants for an agent in Rust

Of a file that also has text by hand, only what stands between the two marks is made.
"""

# ruff: noqa: INP001  beside the header, no package
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]
MODEL = "LP64"
BEGIN, END = "made by abi/layout.py from bplugin.h: do not edit", "to here"


@dataclass(frozen=True, slots=True)
class Group:
    """Constants that belong together: by the prefix of their names, unless `only` says which they are.

    python: the enumeration that they are in the mirror.  rust: their type.
    """

    prefix: str
    python: str
    rust: str = "u32"
    only: tuple[str, ...] = ()
    body: str = ""

    @property
    def base(self) -> str:
        return "IntFlag" if self.python in _FLAGS else "IntEnum"

    def members(self, constants: dict[str, Any]) -> list[tuple[str, int]]:
        """Names without the prefix, by number: 0, 1, 2.., then -1, -2.."""
        names = [name for name in constants if name.startswith(self.prefix) and "(" not in name]
        names = [name for name in names if not self.only or any(re.fullmatch(one, name) for one in self.only)]
        found = [(name.removeprefix(self.prefix), constants[name]) for name in names]
        return sorted(found, key=lambda member: (member[1] < 0, abs(member[1])))


_FLAGS = {"BeginFlag", "EntryFlag", "Has", "Attr", "WantOption", "Feature", "OptionFlag"}
_STREAM_BODY = '''
    @property
    def bit(self) -> int:
        """Its bit in a mask. Not the wire's stream numbers."""
        return 1 << self
'''
_OPTION_FLAGS = ("REQUIRED", "SECRET", "REPEATS", "FROM_DIRECTOR", "AT_RESTORE")
GROUPS = (
    Group("BP_", "Status", "bp_status", ("BP_OK", "BP_END", "BP_E_.*")),
    Group("BP_KIND_", "Kind"),
    Group("BP_LEVEL_", "Level"),
    Group("BP_STATE_", "StateWhy"),
    Group("BP_BEGIN_", "BeginFlag"),
    Group("BP_OUTCOME_", "Outcome"),
    Group("BP_VERDICT_", "Verdict"),
    Group("BP_MSG_", "Severity", "i32"),
    Group("BP_OS_", "OsDomain", "i32"),
    Group("BP_TYPE_", "EntryType"),
    Group("BP_CHANGE_", "Change"),
    Group("BP_ENTRY_", "EntryFlag"),
    Group("BP_HAS_", "Has", "u64"),
    Group("BP_ATTR_", "Attr"),
    Group("BP_STREAM_", "AgentStream", body=_STREAM_BODY),
    Group("BP_OPT_", "WantOption", "u64"),
    Group("BP_REPLACE_", "Replace"),
    Group("BP_ACTION_", "Action"),
    Group("BP_RELEASE_", "Release"),
    Group("BP_FEATURE_", "Feature", "u64"),
    Group("BP_OPTION_", "OptionFlag", only=tuple(f"BP_OPTION_{name}" for name in _OPTION_FLAGS)),
    Group("BP_OPTION_", "OptionType", only=(f"BP_OPTION_(?!({'|'.join(_OPTION_FLAGS)})$).*",)),
)
# Constants that are in no enumeration: header, mirror, Rust type.
PLAIN = (
    ("BP_SIZE_UNKNOWN", "SIZE_UNKNOWN", "u64"),
    ("BP_MAX_STATE", "MAX_STATE_BYTES", "u32"),
    ("BP_MAX_LARGE_STATE", "MAX_LARGE_STATE_BYTES", "u32"),
    ("BP_MAX_HOLD", "MAX_HOLD_BYTES", "u32"),
    ("BP_MIN_READ", "MIN_READ_BYTES", "u32"),
    ("BP_MIN_PAGE", "MIN_PAGE_BYTES", "u32"),
    ("BP_BATCH_COMPLETE", "BATCH_COMPLETE", "u32"),
    ("BP_BATCH_GAP", "BATCH_GAP", "u32"),
    ("BP_CHUNK_LAST", "CHUNK_LAST", "u32"),
)
_CALLS_BEFORE = 3  # none, load, query
_OF_TABLES = ("prepare", "release", "plan")  # calls of extension tables that have no name of a slot
_SLOT = re.compile(r"(\w+) \(\*\)\((.*)\)")


def structs(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Struct -> its fields."""
    return {name: struct["fields"] for name, struct in manifest["structs"][MODEL].items()}


def slots(manifest: Manifest) -> list[str]:
    """The calls into an agent, in the order of its table."""
    return [name for name, field in structs(manifest)["bp_agent_api"].items() if _SLOT.fullmatch(field["type"])]


def tables(manifest: Manifest) -> list[tuple[str, str]]:
    """The names of extension tables: macro and text."""
    return [
        (name, text) for name, text in manifest["constants"].items() if isinstance(text, str) and name != "BP_MAGIC"
    ]


def signature(c_type: str) -> tuple[str, list[str]] | None:
    """(what a function pointer returns, the types of its parameters); None for all that is no function pointer."""
    found = _SLOT.fullmatch(c_type)
    return (found[1], found[2].split(", ")) if found else None


# ---- Python ---------------------------------------------------------------------------------------------------------

_CTYPES = {
    "int32_t": "c_int32", "uint32_t": "c_uint32", "int64_t": "c_int64", "uint64_t": "c_uint64", "bp_status": "c_int32",
    "void": "None", "char [8]": "c_char * 8", "bp_time": "BpTime",
}  # fmt: skip
_LETTERS = {"uint32_t": "I", "int32_t": "i", "uint64_t": "Q", "int64_t": "q"}


def mirror(manifest: Manifest, first: Manifest) -> str:
    """The part of filed/agents/abi.py that the header decides. first: the manifest of version 1.0."""
    parts = [
        *_plain(manifest),
        *(_enumeration(group, manifest["constants"]) for group in GROUPS),
        *_records(manifest, first),
        *(_structure(name, manifest) for name in structs(manifest) if name not in ("bp_host_api", "bp_agent_api")),
        *_tables(manifest),
    ]
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def _plain(manifest: Manifest) -> Iterator[str]:
    constants = manifest["constants"]
    (query,) = manifest["functions"]
    major, minor = manifest["version"].split(".")
    lines = [
        f'QUERY_SYMBOL = "{query}"',
        f'MAGIC = b"{constants["BP_MAGIC"]}\\0"',
        f"HEADER_VERSION = {major} << 16 | {minor}",
    ]
    lines += [f"{name} = 0x{constants[header]:X}" for header, name, _ in PLAIN]
    lines += [f'{name.removeprefix("BP_")} = b"{text}"' for name, text in tables(manifest)]
    lines.append(f"STREAM_MASK = {sum(1 << number for _, number in _streams().members(constants)):#b}")
    yield "\n".join(lines)


def _streams() -> Group:
    return next(group for group in GROUPS if group.python == "AgentStream")


def _enumeration(group: Group, constants: dict[str, Any]) -> str:
    lines = [f"    {name} = {number}" for name, number in group.members(constants)]
    return "\n".join([f"class {group.python}({group.base}):", *lines]) + "\n" + group.body


def _flat(fields: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """(name, C type, offset) of each number of a record; of a time the seconds, then the nanoseconds."""
    for name, field in fields.items():
        if field["type"] == "bp_time":
            yield name, "int64_t", field["offset"]
            yield f"{name}_ns", "uint32_t", field["offset"] + 8
        else:
            yield name, field["type"], field["offset"]


def packing(fields: dict[str, Any]) -> str:
    """Of a flat record as `struct` reads it, gaps and reserved words of times included."""
    text, end = "=", 0
    for _, c_type, offset in _flat(fields):
        text += f"{offset - end}x" if offset > end else ""
        text += _LETTERS[c_type]
        end = offset + (8 if "64" in c_type else 4)
    size = max(field["offset"] + field["size"] for field in fields.values())
    return text + (f"{size - end}x" if size > end else "")


def _records(manifest: Manifest, first: Manifest) -> Iterator[str]:
    entry = structs(manifest)["bp_entry"]
    lines = [f"    {name}: int = 0" for name, _, _ in _flat(entry)]
    doc = '    """`bp_entry`, field by field; offsets count from the start of its page. Times: seconds, then ns."""\n'
    yield "\n".join(["class Entry(NamedTuple):", doc, *lines])
    lines = [f"    {name} = {offset}" for name, _, offset in _flat(entry)]
    yield "\n".join(["class EntryAt:", '    """Where each field of a `bp_entry` stands, in bytes."""\n', *lines])
    sizes = first["structs"][MODEL]
    then = [f'"{camel(name)}": {sizes[name]["size"]}' for name in ("bp_host_api", "bp_begin", "bp_batch")]
    yield "\n".join(
        [
            "# Bytes that an agent's structs have at least: those of version 1.0. What a later one appends reads as zero.",
            f'ENTRY_1_0 = struct.Struct("{packing(structs(first)["bp_entry"])}")',
            f'ENTRY = struct.Struct("{packing(entry)}")',
            f"DESCRIPTOR_1_0 = {sizes['bp_descriptor']['size']}",
            f"AGENT_API_1_0 = {sizes['bp_agent_api']['size']}",
            f"OPTION_1_0 = {sizes['bp_option']['size']}",
            "# The host's structs as they were then.",
            f"SIZES_1_0 = {{{', '.join(then)}}}",
            f'WANT = struct.Struct("{packing(structs(manifest)["bp_want"])}")',
            f'CHUNK = struct.Struct("{packing(structs(manifest)["bp_chunk"])}")',
        ]
    )


def camel(name: str) -> str:
    """`bp_agent_api` as `BpAgentApi`."""
    return "".join(part.capitalize() for part in name.split("_"))


def _structure(name: str, manifest: Manifest) -> str:
    lines = [
        f'        ("{field}", {_function(about["type"], text="c_char_p") if signature(about["type"]) else _ctype(about["type"])}),'
        for field, about in structs(manifest)[name].items()
    ]
    return "\n".join([f"class {camel(name)}(ctypes.Structure):", "    _fields_ = [", *lines, "    ]"])


def _ctype(c_type: str, *, text: str = "c_char_p") -> str:
    """text: of `const char *`: where we pass it, ctypes takes bytes; where C does, it is an address."""
    if c_type.endswith("*"):
        return text if c_type == "const char *" else "c_void_p"
    return _CTYPES[c_type]


def _function(c_type: str, *, text: str) -> str:
    found = signature(c_type)
    assert found is not None
    returned, parameters = found
    types = [_ctype(returned), *(_ctype(parameter, text=text) for parameter in parameters)]
    return f"ctypes.CFUNCTYPE({', '.join(types)})"


def _tables(manifest: Manifest) -> Iterator[str]:
    host, agent = structs(manifest)["bp_host_api"], structs(manifest)["bp_agent_api"]
    calls = {name: field["type"] for name, field in host.items() if signature(field["type"])}
    yield "\n".join(f"{camel(name)}Fn = {_function(c_type, text='c_void_p')}" for name, c_type in calls.items())
    fields = [
        f'        ("{name}", {f"{camel(name)}Fn" if name in calls else _ctype(field["type"])}),'
        for name, field in host.items()
    ]
    yield "\n".join(["class BpHostApi(ctypes.Structure):", "    _fields_ = [", *fields, "    ]"])
    entries = [f'    "{name}": {_function(agent[name]["type"], text="c_char_p")},' for name in slots(manifest)]
    yield "\n".join(["# Slot -> its type, in the order of `bp_agent_api`.", "AGENT_SLOTS = {", *entries, "}"])
    words = [
        f'        ("{name}", {_ctype(field["type"])}),' for name, field in agent.items() if name not in slots(manifest)
    ]
    yield "\n".join(
        ["class BpAgentApi(ctypes.Structure):", "    _fields_ = [", *words, "        *AGENT_SLOTS.items(),", "    ]"]
    )
    (query,) = manifest["functions"].values()
    returned, _, parameters = query.partition("(")
    types = [_ctype(returned.strip()), *map(_ctype, parameters.removesuffix(")").split(", "))]
    yield f"QueryFn = ctypes.CFUNCTYPE({', '.join(types)})"


# ---- the calls ------------------------------------------------------------------------------------------------------


def call_numbers(manifest: Manifest) -> dict[str, int]:
    """Call -> the number that the status page has for it; 0 to 2 are none, load and query."""
    return {name: number for number, name in enumerate((*slots(manifest), *_OF_TABLES), _CALLS_BEFORE)}


def calls(manifest: Manifest) -> str:
    """Members of `Call`."""
    return "".join(f"    {name} = {number}\n" for name, number in call_numbers(manifest).items())


def c_numbers(manifest: Manifest, places: dict[str, int]) -> str:
    """The header of the host's C code. places: of the status page, as C calls them."""
    named = {f"CALL_{name.upper()}": number for name, number in call_numbers(manifest).items()} | places
    width = max(map(len, named)) + 1
    lines = [f"#define {name:{width}}{number}" for name, number in named.items()]
    head = f"/* {BEGIN.capitalize()}. CALL_*: `Call` of filed/process/status_page.py; PAGE_*: its page. */"
    return "\n".join([head, "#ifndef ABI_NUMBERS_H", "#define ABI_NUMBERS_H", *lines, "#endif", ""])


# ---- Rust -----------------------------------------------------------------------------------------------------------

_RUST = {
    "uint32_t": "u32", "int32_t": "i32", "uint64_t": "u64", "int64_t": "i64", "void": "c_void", "char": "c_char",
    "char [8]": "[u8; 8]",
}  # fmt: skip
_RUST_KEYWORDS = {"type", "match", "where"}


def rust(manifest: Manifest) -> str:
    """Types, constants and structs of the header for Rust."""
    return "\n".join([*_rust_constants(manifest), *(_rust_struct(name, manifest) for name in structs(manifest))])


def _rust_constants(manifest: Manifest) -> Iterator[str]:
    constants = manifest["constants"]
    opaque = [name for name in manifest["types"] if name != "bp_status"]
    yield f"pub type bp_status = {_RUST[manifest['types']['bp_status']]};\n"
    yield "/// An instance, a Job, the host: only pointers to them travel, yours to cast (`instance`, `job`)."
    yield "\n".join(f"pub enum {name} {{}}" for name in opaque) + "\n"
    major, minor = manifest["version"].split(".")
    yield f"pub const BP_HEADER_VERSION: u32 = bp_version({major}, {minor});"
    yield f'pub const BP_MAGIC: [u8; 8] = *b"{constants["BP_MAGIC"]}\\0";'
    yield from (f"pub const {name}: {kind} = {_rust_number(constants[name])};" for name, _, kind in PLAIN)
    yield from (f'pub const {name}: &[u8] = b"{text}\\0";' for name, text in tables(manifest))
    for group in GROUPS:
        yield f"// {group.python}"
        for name, number in group.members(constants):
            yield f"pub const {group.prefix}{name}: {group.rust} = {number};"
    yield ""


def _rust_number(number: int) -> str:
    return "u64::MAX" if number == (1 << 64) - 1 else str(number)


def _rust_struct(name: str, manifest: Manifest) -> str:
    fields = structs(manifest)[name]
    flat = not any("*" in field["type"] for field in fields.values())
    lines = [
        "#[repr(C)]",
        *(["#[derive(Clone, Copy, Default)]"] if flat else []),
        f"pub struct {name} {{",
        *(
            f"    pub {f'r#{field}' if field in _RUST_KEYWORDS else field}: {rust_type(about['type'])},"
            for field, about in fields.items()
        ),
        "}",
        "",
    ]
    return "\n".join(lines)


def rust_type(c_type: str) -> str:
    """`const char * const *` as `*const *const c_char`."""
    found = signature(c_type)
    if found is not None:
        returned, parameters = found
        arrow = "" if returned == "void" else f" -> {rust_type(returned)}"
        return f'Option<unsafe extern "C" fn({", ".join(map(rust_type, parameters))}){arrow}>'
    if not c_type.endswith("*"):
        return _RUST.get(c_type, c_type)
    words = c_type[:-1].replace("*", " * ").split()
    constant = words[-1] == "const" if "*" in words else "const" in words
    inner = words[:-1] if "*" in words and words[-1] == "const" else words
    if "*" not in inner:
        inner = [word for word in inner if word not in {"const", "volatile"}]
    return f"*{'const' if constant else 'mut'} {rust_type(' '.join(inner))}"


# ---- files ----------------------------------------------------------------------------------------------------------


def between(text: str, made: str, path: Path) -> str:
    """A file's text with what was made between its marks. Raises ValueError for a file without them."""
    pattern = re.compile(
        rf"(^[^\n]*{re.escape(BEGIN)}[^\n]*\n)(.*?)(^[^\n]*\b{re.escape(END)}\b[^\n]*$)", re.DOTALL | re.MULTILINE
    )
    parts = pattern.findall(text)
    if len(parts) != 1:
        raise ValueError(f"{path} has no lines `{BEGIN}` and `{END}`, or more than one pair")
    head, _, tail = parts[0]
    return pattern.sub(lambda _found: head + made + tail, text)


def files(
    root: Path, manifest: Manifest, first: Manifest, places: dict[str, int]
) -> Iterable[tuple[Path, Callable[[str], str]]]:
    """Each file, and what its text becomes."""
    for name, made in (
        ("filed/agents/abi.py", "\n" + mirror(manifest, first) + "\n\n"),
        ("filed/process/status_page.py", calls(manifest)),
        ("filed/cli/agent_templates/rust/bplugin.rs", rust(manifest)),
    ):
        path = root / name
        yield path, lambda text, made=made, path=path: between(text, made, path)  # type: ignore[misc]
    numbers = c_numbers(manifest, places)
    yield root / "native_host" / "restore_loop" / "abi_numbers.h", lambda _text: numbers
