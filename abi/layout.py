"""The layout of bplugin.h as data: what each release promised, and whether today's header still keeps it.

    python abi/layout.py            brings what is made from the header up to date: see bindings.py
    python abi/layout.py check      today's header against every released manifest in abi/history
    python abi/layout.py freeze     releases today's header: copies it to abi/history, with its manifest

A manifest holds, for both data models we support, each struct's fields with offset, size and C type (function slots
with their whole signature, parameters without names), and the constants. It is computed here from the parsed header
with natural alignment; that compilers agree is tested (tests/abi/test_witnesses.py), so that it needs no execution.
"""

# ruff: noqa: INP001  a program beside the header, no package
from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycparser import c_ast, c_generator, c_parser  # type: ignore[import-untyped]  # ships none

ABI = Path(__file__).resolve().parent
ROOT = ABI.parent
sys.path.insert(0, str(ROOT))

from abi import bindings  # noqa: E402  as a program, its directory is the path
from filed.process import status_page  # noqa: E402

HEADER = ABI / "bplugin.h"
HISTORY = ABI / "history"

Manifest = dict[str, Any]

# Sizes of what may stand in a struct. Pointers are the only thing that could differ between the models, and do not:
# both are 64 bits wide. `long`, where they differ, must not occur, and has no entry here.
MODELS = {
    "LP64": {"pointer": 8, "char": 1, "int32_t": 4, "uint32_t": 4, "int64_t": 8, "uint64_t": 8},
    "LLP64": {"pointer": 8, "char": 1, "int32_t": 4, "uint32_t": 4, "int64_t": 8, "uint64_t": 8},
}
# Structs without a size or stride of their own: these can never grow.
FIXED = frozenset({"bp_time", "bp_want", "bp_chunk"})
# These say which version this is; everything else is what the version promises.
VERSION_MACROS = frozenset({"BP_HEADER_VERSION", "BP_TARGET_VERSION"})
# Macros with arguments are promises too: checked by what they make of these.
SAMPLES = ("BP_VERSION(1, 2)", "BP_STREAM_BIT(3)", "BP_STREAM_BIT(63)")

_STDINT = """
typedef signed int int32_t;
typedef unsigned int uint32_t;
typedef signed long long int64_t;
typedef unsigned long long uint64_t;
#define UINT64_MAX 18446744073709551615ull
#define UINTPTR_MAX UINT64_MAX
"""
_STDINT_LINE = re.compile(r"^typedef [a-z ]+ u?int(32|64)_t;$", re.MULTILINE)
_SUFFIX = re.compile(r"[uUlL]+$")


def preprocess(header: Path, *extra: str, tail: str = "") -> str:
    """The header as plain C without directives, attributes and the system's stdint.h, then `tail` expanded.

    extra: further arguments for the preprocessor.
    """
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "stdint.h").write_text(_STDINT)
        source = Path(scratch) / "layout.c"
        source.write_text(f'#include "{header}"\n{tail}')
        command = ["gcc", "-E", "-P", "-nostdinc", f"-I{scratch}", "-D__attribute__(x)=", *extra, str(source)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def without_stdint(text: str) -> str:
    """The same for a reader that knows the fixed-width types already."""
    return _STDINT_LINE.sub("", text)


def constants(header: Path, *extra: str) -> dict[str, int | str]:
    """The value of every BP_ constant, and of the sample uses of the macros."""
    names = re.findall(r"^#define (BP_\w+) \S", preprocess(header, "-dM", *extra), re.MULTILINE)
    wanted = [name for name in names if name not in VERSION_MACROS] + list(SAMPLES)
    tail = "".join(f"bp_value {number} {name}\n" for number, name in enumerate(wanted))
    values = re.findall(r"^bp_value (\d+) (.*)$", preprocess(header, *extra, tail=tail), re.MULTILINE)
    return {name: _value(text) for name, (_, text) in sorted(zip(wanted, values, strict=True))}


def version(header: Path) -> str:
    """`1.0`, as the header says."""
    (text,) = re.findall(r"^bp_value (.*)$", preprocess(header, tail="bp_value BP_HEADER_VERSION\n"), re.MULTILINE)
    number = _value(text)
    assert isinstance(number, int)
    return f"{number >> 16}.{number & 0xFFFF}"


def manifest(header: Path, *extra: str) -> Manifest:
    """All that the header promises."""
    tree = c_parser.CParser().parse(preprocess(header, *extra), str(header))
    typedefs = {node.name: node for node in tree.ext if isinstance(node, c_ast.Typedef)}
    functions = {
        node.name: _type_text(node.type)
        for node in tree.ext
        if isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl)
    }
    structs = {
        name: node.type.type
        for name, node in typedefs.items()
        if isinstance(node.type, c_ast.TypeDecl) and isinstance(node.type.type, c_ast.Struct)
    }
    return {
        "version": version(header),
        "functions": functions,
        "types": {
            name: _type_text(node.type)
            for name, node in typedefs.items()
            if name.startswith("bp_") and (name not in structs or structs[name].decls is None)
        },
        "constants": constants(header, *extra),
        "structs": {model: _Layouts(typedefs, structs, sizes).all() for model, sizes in MODELS.items()},
    }


def differences(released: Manifest, today: Manifest) -> list[str]:
    """Why `today` is not a superset of what was released, a line each; none when it is."""
    found: list[str] = []
    for group in ("functions", "types", "constants"):
        for name, promised in released[group].items():
            now = today[group].get(name)
            if now != promised:
                found.append(f"{name} was {promised!r}, is {'gone' if now is None else repr(now)}")
    for model, structs in released["structs"].items():
        for name, promised in structs.items():
            now = today["structs"][model].get(name)
            found += [f"{model}: {name}{line}" for line in _struct_differences(promised, now, fixed=name in FIXED)]
    return found


def _struct_differences(promised: Manifest, now: Manifest | None, *, fixed: bool) -> list[str]:
    if now is None:
        return [" is gone"]
    found = [
        f".{field} was {was}, is {now['fields'].get(field, 'gone')}"
        for field, was in promised["fields"].items()
        if now["fields"].get(field) != was
    ]
    found += [
        f".{field} is new at {added['offset']}, but the released struct has {promised['size']} bytes: append"
        for field, added in now["fields"].items()
        if field not in promised["fields"] and added["offset"] < promised["size"]
    ]
    if now["size"] < promised["size"] or (fixed and now["size"] != promised["size"]):
        found.append(f" had {promised['size']} bytes, has {now['size']}")
    return found


def released() -> dict[str, Manifest]:
    """Version -> manifest of every release, oldest first."""
    manifests = [json.loads(path.read_text()) for path in HISTORY.glob("layout-*.json")]
    return {
        one["version"]: one for one in sorted(manifests, key=lambda one: [int(n) for n in one["version"].split(".")])
    }


def check(header: Path) -> list[str]:
    """What is wrong with a header, a line each: promises broken, or changed without a new version."""
    today = manifest(header)
    history = released()
    found = [f"against {one['version']}: {line}" for one in history.values() for line in differences(one, today)]
    same = history.get(today["version"])
    if not found and same is not None and same != today:
        added = differences(today, same)
        found = [f"version {today['version']} is released, this needs a new one: {line}" for line in added]
    return found


def freeze(header: Path, history: Path) -> tuple[Path, Path]:
    """Releases a header: the copy and the manifest. Raises FileExistsError when that version is out already."""
    number = version(header)
    copy, layout = history / f"bplugin-{number}.h", history / f"layout-{number}.json"
    with layout.open("x") as out:
        json.dump(manifest(header), out, indent=1)
        out.write("\n")
    copy.write_bytes(header.read_bytes())
    return copy, layout


def bound(header: Path, root: Path) -> dict[Path, str]:
    """What is made from a header below `root`: each file, and its text."""
    first = json.loads((HISTORY / "layout-1.0.json").read_text())
    places = {
        "PAGE_CANCEL": status_page.CANCEL_AT // 4,
        "PAGE_CALL": status_page.CALL_WORD,
        "PAGE_PROGRESS": status_page.PROGRESS_WORD,
        "PAGE_ENTRY_LENGTH": status_page.ENTRY_AT // 4,
        "PAGE_ENTRY_TEXT": status_page.ENTRY_AT + 4,
        "PAGE_ENTRY_MAX": status_page.ENTRY_MAX,
    }
    made = bindings.files(root, manifest(header), first, places)
    return {path: becomes(path.read_text() if path.exists() else "") for path, becomes in made}


def bind(header: Path, root: Path) -> list[Path]:
    """Writes what is made from the header, where it is not so already; returns which files that were."""
    stale = {path: text for path, text in bound(header, root).items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        path.write_text(text)
    return list(stale)


@dataclass(frozen=True, slots=True)
class _Layouts:
    """Offsets by natural alignment, for one data model."""

    typedefs: dict[str, c_ast.Typedef]
    structs: dict[str, c_ast.Struct]
    sizes: dict[str, int]

    def all(self) -> dict[str, Manifest]:
        return {name: self.struct(node) for name, node in self.structs.items() if node.decls is not None}

    def struct(self, node: c_ast.Struct) -> Manifest:
        fields: dict[str, Any] = {}
        end, widest = 0, 1
        for field in node.decls:
            size, align = self.measure(field.type)
            offset = -(-end // align) * align
            fields[field.name] = {"offset": offset, "size": size, "type": _type_text(field.type)}
            end, widest = offset + size, max(widest, align)
        return {"size": -(-end // widest) * widest, "fields": fields}

    def measure(self, node: c_ast.Node) -> tuple[int, int]:
        """Size and alignment of a type. Raises KeyError for one that may not cross the border."""
        if isinstance(node, c_ast.PtrDecl):
            return self.sizes["pointer"], self.sizes["pointer"]
        if isinstance(node, c_ast.ArrayDecl):
            size, align = self.measure(node.type)
            return size * int(node.dim.value), align
        name = " ".join(node.type.names)
        if name in self.sizes:
            return self.sizes[name], self.sizes[name]
        if name in self.structs:
            inner = self.struct(self.structs[name])
            return inner["size"], max(self.measure(field.type)[1] for field in self.structs[name].decls)
        return self.measure(self.typedefs[name].type)


def _type_text(node: c_ast.Node) -> str:
    """A type as C writes it without a name: `bp_status (*)(bp_ctx *, const char *, uint32_t)`."""
    text: str = c_generator.CGenerator().visit(_nameless(node))
    return re.sub(r"\s+", " ", text).strip()


def _nameless(node: c_ast.Node) -> c_ast.Node:
    """A declaration's type as an abstract one; names of parameters say nothing to a compiler."""
    if isinstance(node, c_ast.TypeDecl):
        return c_ast.Typename(None, [], None, c_ast.TypeDecl(None, node.quals, None, node.type))
    inner = _strip(node)
    return c_ast.Typename(None, [], None, inner)


def _strip(node: c_ast.Node) -> c_ast.Node:
    if isinstance(node, c_ast.TypeDecl):
        return c_ast.TypeDecl(None, node.quals, None, node.type)
    if isinstance(node, c_ast.PtrDecl):
        return c_ast.PtrDecl(node.quals, _strip(node.type))
    if isinstance(node, c_ast.ArrayDecl):
        return c_ast.ArrayDecl(_strip(node.type), node.dim, node.dim_quals)
    if isinstance(node, c_ast.FuncDecl):
        parameters = [_nameless(parameter.type) for parameter in node.args.params]
        return c_ast.FuncDecl(c_ast.ParamList(parameters), _strip(node.type))
    raise TypeError(f"{type(node).__name__} may not stand in the header")


def _value(text: str) -> int | str:
    """A constant expression of integers, or one string."""
    tree = c_parser.CParser().parse(f"int x[] = {{ {text} }};")
    (expression,) = tree.ext[0].init.exprs
    return _evaluate(expression)


def _evaluate(node: c_ast.Node) -> int | str:
    if isinstance(node, c_ast.Constant):
        return str(node.value[1:-1]) if node.type == "string" else int(_SUFFIX.sub("", node.value), 0)
    if isinstance(node, c_ast.UnaryOp) and node.op == "-":
        inner = _evaluate(node.expr)
        assert isinstance(inner, int)
        return -inner
    if isinstance(node, c_ast.BinaryOp):
        left, right = _evaluate(node.left), _evaluate(node.right)
        assert isinstance(left, int)
        assert isinstance(right, int)
        return {"<<": left << min(right, 64), "+": left + right, "*": left * right}[node.op]
    raise TypeError(f"{type(node).__name__} in a constant: keep them simple")


def main() -> int:
    parser = argparse.ArgumentParser(description="The layout of bplugin.h, today and as released.")
    parser.add_argument("what", nargs="?", default="bind", choices=["bind", "check", "freeze"])
    what = parser.parse_args().what
    if what == "bind":
        for path in bind(HEADER, ROOT):
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")
        return 0
    if what == "freeze":
        for path in freeze(HEADER, HISTORY):
            sys.stdout.write(f"{path}\n")
        return 0
    found = check(HEADER)
    for line in found:
        sys.stdout.write(f"{line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
