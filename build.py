"""The only build: compiles the agents, and gives the package its copy of the ABI headers.

    python build.py                 agents -> filed/_agents/<name>.so, native_host/ -> filed/_native/, abi/*.h -> filed/_sdk/
    python build.py --sanitize      agents with address and undefined-behaviour sanitizers -> build/sanitized/
    python build.py filesystem      only the agents named

An agent is a directory native_agents/<name>/, and native_host/<name>/ is a library of the host's own. Its agent.toml, which may be missing, says how to compile it:

    sources = ["*.c", "*.cc"]       # globs below the directory; this is the default
    libs = []                       # linked with -l on this machine
    program = false                 # true, below native_host/ only: a program instead of a library
    windows = false                 # true: also cross-compile <name>.dll, when the compiler for that is here
    windows_libs = []               # linked with -l on Windows

What is compiled depends on the sources, the headers and the compiler, on nothing else: neither on the directory nor on
the time. What is up to date, by content, is left alone. Nothing made here is writable by group or others, since the
loader of agents refuses such files and directories.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent

PLUGIN_DIRECTORY = "/usr/local/lib/filed"  # as `filed agent install` has it
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
FLAGS = ["-fPIC", "-fvisibility=hidden", "-D_FILE_OFFSET_BITS=64", "-g0", *WARNINGS]
OPTIMIZED = ["-O2", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2"]
SANITIZED = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]


class BuildError(Exception):
    """An agent cannot be compiled; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Agent:
    """What agent.toml says."""

    name: str
    directory: Path
    sources: tuple[Path, ...]
    libs: tuple[str, ...]
    windows: bool
    windows_libs: tuple[str, ...]
    program: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of library: which compiler makes it, with which flags."""

    suffix: str
    compiler: tuple[str, ...]
    compile_flags: tuple[str, ...]
    link_flags: tuple[str, ...]


def native(*, sanitize: bool = False) -> Target:
    """This machine; CC chooses another compiler."""
    link = ["-shared", "-Wl,--build-id=none", "-Wl,-z,relro,-z,now"]
    link += [] if sanitize else ["-Wl,-z,defs"]  # a sanitizer's run-time is found in the program, not in the library
    return Target(
        ".so",
        tuple(shlex.split(os.environ.get("CC", "gcc"))),
        (*FLAGS, *(SANITIZED if sanitize else OPTIMIZED)),
        tuple(link),
    )


def native_program(*, sanitize: bool = False) -> Target:
    """As `native`, but what comes out is run, not loaded."""
    library = native(sanitize=sanitize)
    flags = tuple(flag for flag in library.compile_flags if flag != "-fPIC")
    return Target("", library.compiler, (*flags, "-fPIE"), ("-pie", "-Wl,--build-id=none", "-Wl,-z,relro,-z,now"))


def windows() -> Target | None:
    """64-bit Windows, when Debian's gcc-mingw-w64-x86-64 is installed; else None."""
    compiler = "x86_64-w64-mingw32-gcc"
    if not shutil.which(compiler):
        return None
    flags = [flag for flag in FLAGS if flag != "-fPIC"]  # all code is, there; and the compiler says so
    link = (
        "-shared",
        "-static",  # the compiler's own libraries are not there
        "-s",  # symbols name temporary files
        "-Wl,--no-insert-timestamp",
        "-Wl,--disable-auto-image-base",  # it hashes the output's path
    )
    return Target(".dll", (compiler,), (*flags, "-O2"), link)


def read_agent(directory: Path) -> Agent:
    """Raises BuildError for a key that is not known, or when there is no source."""
    settings = directory / "agent.toml"
    said = tomllib.loads(settings.read_text(encoding="utf-8")) if settings.exists() else {}
    unknown = said.keys() - {"sources", "libs", "windows", "windows_libs", "program"}
    if unknown:
        raise BuildError(f"{settings}: unknown: {', '.join(sorted(unknown))}")
    globs = said.get("sources", ["*.c", "*.cc"])
    sources = tuple(sorted({path for glob in globs for path in directory.glob(glob)}))
    if not sources:
        raise BuildError(f"{directory}: no source matches {globs}")
    return Agent(
        name=directory.name,
        directory=directory,
        sources=sources,
        libs=tuple(said.get("libs", ())),
        windows=bool(said.get("windows", False)),
        windows_libs=tuple(said.get("windows_libs", ())),
        program=bool(said.get("program", False)),
    )


def agents(root: Path, only: Sequence[str] = (), below: str = "native_agents") -> list[Agent]:
    """Every agent below native_agents/, or those named. Raises BuildError for a name that is not there."""
    directories = {path.name: path for path in (root / below).glob("*") if path.is_dir()}
    for name in only:
        if name not in directories:
            raise BuildError(
                f"no agent {name} in {root / 'native_agents'}; there are: {', '.join(sorted(directories))}"
            )
    return [read_agent(directories[name]) for name in only or sorted(directories)]


def compile_agent(root: Path, agent: Agent, target: Target, output: Path) -> bool:
    """Make output/<name><suffix>. False when it was up to date. Raises BuildError with the compiler's own words."""
    library = output / f"{agent.name}{target.suffix}"
    if not shutil.which(target.compiler[0]):
        raise BuildError(f"{agent.name}: no compiler {target.compiler[0]}; on Debian: apt-get install gcc")
    libs = [*(agent.windows_libs if target.suffix == ".dll" else agent.libs)]
    libs += ["stdc++"] if any(source.suffix == ".cc" for source in agent.sources) else []
    command = [
        *target.compiler,
        *target.compile_flags,
        f"-ffile-prefix-map={root}=.",
        "-Iabi",
        *(str(source.relative_to(root)) for source in agent.sources),
        *target.link_flags,
        *(f"-l{lib}" for lib in libs),
    ]
    digest = _digest(root, agent, [flag for flag in command if not flag.startswith("-ffile-prefix-map")])
    stamp = root / "build" / "stamps" / hashlib.sha256(str(library).encode()).hexdigest()[:16]
    if library.exists() and stamp.exists() and stamp.read_text() == digest:
        return False
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output) as scratch:
        made = Path(scratch) / library.name  # its own name: a .dll carries it inside
        run = subprocess.run(
            [*command, "-o", str(made)],
            cwd=root,
            env={**os.environ, "SOURCE_DATE_EPOCH": "0", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise BuildError(f"{agent.name}: {shlex.join(command)}\n{run.stderr}")
        made.chmod(0o755 if agent.program else 0o644)
        made.replace(library)  # a process that has the old one loaded keeps it
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest)
    return True


def _digest(root: Path, agent: Agent, command: Sequence[str]) -> str:
    """Of all that decides the result: the command, the compiler, the agent's files and the headers."""
    version = subprocess.run([*command[:1], "--version"], capture_output=True, check=True).stdout
    sum_ = hashlib.sha256(repr(command).encode() + version)
    shared = {source.parent for source in agent.sources} - {agent.directory}
    files = [*agent.directory.rglob("*"), *(root / "abi").glob("*.h")]
    files += [*agent.sources, *(header for directory in shared for header in directory.glob("*.h"))]
    for path in sorted({path for path in files if path.is_file()}):
        sum_.update(f"{path.relative_to(root)} {path.stat().st_size}\n".encode())
        sum_.update(path.read_bytes())
    return sum_.hexdigest()


def copy_headers(root: Path, output: Path) -> None:
    """Bring abi/*.h into the package: `filed agent new` and `check` find them there."""
    output.mkdir(parents=True, exist_ok=True)
    for header in sorted((root / "abi").glob("*.h")):
        copy = output / header.name
        if not copy.exists() or copy.read_bytes() != header.read_bytes():
            shutil.copyfile(header, copy)
            copy.chmod(0o644)
    (output / "bplugin.pc").write_text(package_config(root / "abi"))


def package_config(abi: Path) -> str:
    """For pkg-config, with the headers beside it."""
    (version,) = re.findall(r"#define BP_HEADER_VERSION BP_VERSION\((\d+, \d+)\)", (abi / "bplugin.h").read_text())
    text = re.sub(r"^#.*\n", "", (abi / "bplugin.pc.in").read_text(), flags=re.MULTILINE)
    values = {"prefix": "${pcfiledir}", "includedir": "${pcfiledir}", "plugindir": PLUGIN_DIRECTORY}
    for name, value in (values | {"version": version.replace(", ", ".")}).items():
        text = text.replace(f"@{name}@", value)
    return text


def keep_others_out(directory: Path) -> None:
    """Take the write permission from group and others, below and at `directory`."""
    for path in (directory, *directory.rglob("*")):
        mode = path.stat().st_mode
        if mode & 0o022:
            path.chmod(mode & ~0o022 & 0o7777)


def build(root: Path = ROOT, only: Sequence[str] = (), *, sanitize: bool = False) -> list[Path]:
    """Everything, for this machine and, where agents want it, for Windows; returns the libraries. Raises BuildError."""
    output = root / "build" / "sanitized" if sanitize else root / "filed" / "_agents"
    libraries = []
    for agent in agents(root, only):
        wanted = [native(sanitize=sanitize)]
        other = windows() if agent.windows and not sanitize else None
        wanted += [other] if other else []
        for target in wanted:
            fresh = compile_agent(root, agent, target, output)
            libraries.append(output / f"{agent.name}{target.suffix}")
            print(f"{libraries[-1].relative_to(root)}: {'built' if fresh else 'up to date'}", flush=True)
    output.mkdir(parents=True, exist_ok=True)
    keep_others_out(output)
    if not sanitize:
        for library in agents(root, below="native_host"):
            targets = [native_program() if library.program else native()]
            targets += [other] if library.windows and (other := windows()) else []
            for target in targets:
                compile_agent(root, library, target, root / "filed" / "_native")
        copy_headers(root, root / "filed" / "_sdk")
    return libraries


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agents", nargs="*", help="names of agents; all when none is given")
    parser.add_argument("--sanitize", action="store_true", help="with sanitizers, into build/sanitized/")
    args = parser.parse_args()
    try:
        build(only=args.agents, sanitize=args.sanitize)
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
