"""The conformance suite over every agent, built to watch its memory and its arithmetic: nothing is found.

The first report of a sanitizer ends the process of its check, so it is a finding like a crash. Leaks are found by the suite
itself, which asks the sanitizer how much it has given out: python's own allocations would hide them from LeakSanitizer.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import build
from filed.cli.agent_new import files
from tests.agents.compile import ABI, SOURCES, compile_agent
from tests.native_agents.sanitizing import run_sanitized

HERE = Path(__file__).resolve().parent
pytestmark = pytest.mark.slow


def runtime(name: str) -> str:
    said = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return said.stdout.strip()


def check(library: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`filed agent check` with the sanitizers' libraries in the process first: python was built without."""
    program = "import sys; from filed.cli.main import main; main(sys.argv[1:])"
    environment = {
        "LD_PRELOAD": f"{runtime('libasan.so')} {runtime('libubsan.so')}",
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONPATH": str(build.ROOT),
    }
    return subprocess.run(
        [sys.executable, "-P", "-c", program, "agent", "check", library, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env=os.environ | environment,
    )


def assert_clean(done: subprocess.CompletedProcess[str], code: int = 0) -> None:
    assert done.returncode == code, done.stdout + done.stderr
    assert "keeps the contract" in done.stdout


def shipped(name: str, directory: Path) -> Path:
    agent = build.read_agent(build.ROOT / "native_agents" / name)
    build.compile_agent(build.ROOT, agent, build.native(sanitize=True), directory)
    return directory / f"{name}.so"


def test_filesystem(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "d" / "e").mkdir(parents=True)
    (source / "d" / "file").write_bytes(b"x" * 70_000)
    (source / "d" / "e" / "empty").touch()
    (source / "link").symlink_to("d/file")
    os.link(source / "d" / "file", source / "other name")
    with (source / "sparse").open("wb") as file:
        file.truncate(3_000_000)
    (source / os.fsdecode(b"not utf-8 \xff\n")).write_text("strange")
    assert_clean(check(shipped("filesystem", tmp_path), "--path", source))


def test_pipe(tmp_path: Path) -> None:
    line = "pipe:/dump/a:seq 1 200000:cat >/dev/null"
    assert_clean(check(shipped("pipe", tmp_path), "--plugin", line, "--option", "allow=**"))


def test_sqlite(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as db:
        db.execute("CREATE TABLE t (a)")
        db.execute("INSERT INTO t VALUES (randomblob(300000))")
        db.commit()
    library = shipped("sqlite", tmp_path)
    assert_clean(check(library, "--path", f"/@SQLITE{tmp_path}", "--option", f"scratch={tmp_path}"))


def test_exchange(tmp_path: Path) -> None:
    run_sanitized("exchange", str(HERE / "exchange" / "test_contract.py"), into=tmp_path)


@pytest.mark.parametrize("source", ["good.c", "subtle.c", "golden-1.0.c"])
def test_agents_of_the_tests(tmp_path: Path, source: str) -> None:
    name = source.partition(".")[0].partition("-")[0]
    done = check(compile_agent(source, tmp_path, name, flags=build.SANITIZED))
    assert_clean(
        done, code=3 if name == "golden" else 0
    )  # 1.0 did not say that an entry which failed has to come again


@pytest.mark.parametrize(("lang", "compiler"), [("c", ["gcc", "-std=c11"]), ("c++", ["g++", "-std=c++20"])])
def test_new_agents(tmp_path: Path, lang: str, compiler: list[str]) -> None:
    written = dict(files("notes", lang))
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    (source,) = (tmp_path / name for name in written if name.endswith((".c", ".cc")))
    library = tmp_path / "notes.so"
    flags = ["-shared", "-fPIC", "-fvisibility=hidden", *build.WARNINGS, *build.SANITIZED, f"-I{ABI}"]
    subprocess.run([*compiler, *flags, source, "-o", library], check=True)
    assert_clean(check(library, "--option", f"source={tmp_path / 'sample.txt'}"))


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("static char text[4]; volatile int at = 6; text[at] = 1; return text[at];", "index 6 out of bounds"),
        ("char *volatile gone = (char *)malloc(8); free(gone); gone[3] = 1; return gone[3];", "heap-use-after-free"),
        ("volatile int many = 2147483647; return many + 1;", "signed integer overflow"),
    ],
    ids=["overflow", "after-free", "arithmetic"],
)
def test_what_a_sanitizer_finds_is_a_finding(
    tmp_path: Path, body: str, word: str, programs: Callable[..., None]
) -> None:
    programs("gcc")
    text = (SOURCES / "subtle.c").read_text()
    spoilt = text.replace(
        "static bp_status close_stream", f"static int wrong(void) {{ {body} }}\nstatic bp_status close_stream"
    )
    spoilt = spoilt.replace(
        "  job->failed |= how != BP_OK;\n  return BP_OK;\n}\n\n/* ---- restore",
        "  job->failed |= how != BP_OK;\n  return wrong() == 12345 ? BP_E_FAIL : BP_OK;\n}\n\n/* ---- restore",
    )
    assert "wrong() ==" in spoilt
    (tmp_path / "subtle.c").write_text(spoilt)
    library = compile_agent(tmp_path / "subtle.c", tmp_path, "subtle", flags=build.SANITIZED)
    done = check(library, "--only", "backup")
    assert done.returncode == 2
    assert "close_stream" in done.stdout
    assert word in done.stdout
