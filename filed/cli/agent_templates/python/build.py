"""Makes an agent's library from its Python: python build.py NAME [FLAGS OF THE C COMPILER]...

The library holds NAME.py and bplugin.py; it needs neither file any more. Whatever they import has to be installed for the Python
that filed runs on.
"""

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import cffi

STDINT = (
    "typedef signed int int32_t; typedef unsigned int uint32_t; typedef signed long long int64_t;"
    " typedef unsigned long long uint64_t;\n#define UINT64_MAX 18446744073709551615ull\n#define UINTPTR_MAX UINT64_MAX\n"
)
TABLES = ("bp_agent_api", "bp_streams", "bp_phases", "bp_plan")
PRELUDE = """
#include "bplugin.h"
/* filed reads this before it loads the library, and refuses one that was made for another Python. */
const char bplugin_python[] __attribute__((used)) = "bplugin python %d.%d";
"""
INIT = """
import linecache, sys, types
from {module} import ffi, lib
for name, path, source in {sources!r}:
    made = types.ModuleType(name)
    made.__file__ = path
    made.ffi, made.lib = ffi, lib
    linecache.cache[path] = (len(source), None, source.splitlines(True), path)
    sys.modules[name] = made
    exec(compile(source, path, "exec"), made.__dict__)
sys.modules[{runtime!r}].offer(made)
"""


def header(compiler, flags):
    """What bplugin.h declares, without the system's types; and the names of its numbers."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "stdint.h").write_text(STDINT)
        source = Path(scratch) / "header.c"
        source.write_text('#include "bplugin.h"\n')
        command = [compiler, "-E", "-P", "-nostdinc", f"-I{scratch}", "-D__attribute__(x)=", *flags, str(source)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        macros = subprocess.run([*command, "-dM"], check=True, capture_output=True, text=True).stdout
    types, _, _ = text.partition("const bp_descriptor * bplugin_query_v1")
    types = re.sub(r"typedef [a-z ]+ u?int(?:32|64)_t;", "", types)
    numbers = re.findall(r'^#define (BP_[A-Z0-9_]+) (?!")\S', macros, re.MULTILINE)
    return types, [name for name in numbers if name != "BP_FN"]


def functions(types):
    """Of each function in a table: its C declaration, named table_function."""
    for table in TABLES:
        body = types[types.index(f"typedef struct {table} ") : types.index(f"}} {table};")]
        for returned, name, arguments in re.findall(r"(\w+) \( ?\*(\w+)\)\((.*?)\);", body, re.DOTALL):
            yield f'extern "Python" {returned} {table}_{name}({arguments});'


def main():
    name, *flags = sys.argv[1:]
    module = "agent_" + name.replace("-", "_")
    compiler = os.environ.get("CC", "cc")
    types, numbers = header(compiler, flags)
    names = {f"{module}_bplugin": "bplugin.py", f"{module}_source": f"{name}.py"}
    sources = [
        (full, path, Path(path).read_text().replace("from bplugin import", f"from {module}_bplugin import"))
        for full, path in names.items()
    ]
    ffi = cffi.FFI()
    ffi.cdef(types + "".join(f"#define {number} ...\n" for number in numbers))
    ffi.cdef("\n".join(functions(types)))
    ffi.embedding_api("const bp_descriptor *bplugin_query_v1(uint32_t, uint32_t);")
    ffi.embedding_init_code(INIT.format(module=module, sources=sources, runtime=f"{module}_bplugin"))
    ffi.set_source(module, PRELUDE % sys.version_info[:2])
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / f"{module}.c"
        ffi.emit_c_code(str(source))
        python = f"-I{sysconfig.get_path('include')}"
        subprocess.run(
            [compiler, "-O2", "-g", "-shared", "-fPIC", *flags, python, str(source), "-o", f"{name}.so"], check=True
        )


if __name__ == "__main__":
    main()
