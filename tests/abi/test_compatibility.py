"""Old agents on new hosts, new agents on old hosts.

Golden binaries of each release are loaded by today's host and take part in whole Jobs. A 1.2 that might come
(tests/agents/draft.py) has a host that runs them, and an agent that runs on today's host and on the frozen host of 1.0.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from filed.agents.scan import examine
from filed.catalog import Level
from filed.conformance import Subject, Verdict, conform
from filed.process.outcome import JobStatus
from tests.agents import draft
from tests.agents.compile import ABI, ROOT, SOURCES, compile_agent
from tests.agents.golden import make
from tests.system_agents.jobs import Place, line

GOLDEN = Path(make.__file__).parent
MANIFEST = json.loads((GOLDEN / "manifest.json").read_text())
FROZEN = GOLDEN.parent / "frozen"
FROZEN_SHA256 = {  # never edited: what is old has to stay as it was
    "host-1.0/host.c": "1b4d4fc00e043bfbcbd96ea847be8a05a99a0f0636e1f4cbabdc8872d952e6c3",
    "host-1.0/bplugin_sdk.h": "ae0eb48f390d22b0b77ce711deeb03c99d5b530b2877174d75f30ba7668487ea",
}


@pytest.fixture(params=MANIFEST)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A committed binary, where agents may be loaded from."""
    directory = tmp_path / "agents"
    directory.mkdir(mode=0o755)
    library = directory / "golden.so"
    shutil.copyfile(GOLDEN / f"golden-{request.param}" / "golden.so", library)
    library.chmod(0o644)
    return library


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The header of the draft."""
    return draft.header(ABI, tmp_path_factory.mktemp("draft") / "include")


@pytest.fixture(scope="module")
def later_agent(later: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_agent("draft-1.2.c", tmp_path_factory.mktemp("agents-1.2"), "draft", include=later)


@pytest.fixture(scope="module")
def later_host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draft.host(ROOT, tmp_path_factory.mktemp("host-1.2"))


@pytest.fixture(scope="module")
def frozen_host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host of 1.0, from its own header and SDK."""
    directory = tmp_path_factory.mktemp("host-1.0")
    shutil.copyfile(ROOT / "abi" / "history" / "bplugin-1.0.h", directory / "bplugin.h")
    for name in ("host.c", "bplugin_sdk.h"):
        shutil.copyfile(FROZEN / "host-1.0" / name, directory / name)
    command = ["gcc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-I.", "host.c", "-o", "host", "-ldl"]
    subprocess.run(command, cwd=directory, check=True)
    return directory / "host"


def told(*command: str | Path, code: int = 0, **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env=os.environ | environment
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def filed_of(root: Path, *arguments: str | Path, code: int = 0) -> str:
    program = "import sys; from filed.cli.main import main; main(sys.argv[1:])"
    return told(sys.executable, "-P", "-c", program, *arguments, code=code, PYTHONPATH=str(root))


# ---- what is committed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", MANIFEST)
def test_a_golden_binary_and_its_source_are_those_of_the_manifest(version: str) -> None:
    for name, digest in MANIFEST[version]["source"].items():
        assert make.sha256(ROOT / name) == digest
    for name, about in MANIFEST[version]["binaries"].items():
        path = GOLDEN / f"golden-{version}" / name
        assert (make.sha256(path), path.stat().st_size) == (about["sha256"], about["bytes"])


@pytest.mark.parametrize("version", MANIFEST)
def test_the_compilers_of_the_manifest_make_the_same_bytes(
    version: str, tmp_path: Path, programs: Callable[..., None]
) -> None:
    about = MANIFEST[version]["binaries"]
    programs(*(command[0] for command in make.COMMANDS.values()))
    made = make.make(version, tmp_path)
    for name, command in make.COMMANDS.items():
        if make.compiler(command) == about[name]["compiler"]:  # another compiler may make other code
            assert make.sha256(made[name]) == about[name]["sha256"]


def test_the_frozen_host_is_as_it_was() -> None:
    assert {name: make.sha256(FROZEN / name) for name in FROZEN_SHA256} == FROZEN_SHA256


# ---- old agents on today's host ------------------------------------------------------------------------------------


def test_a_golden_binary_saves_continues_and_restores_in_whole_jobs(golden: Path, tmp_path: Path) -> None:
    place = Place(tmp_path / "volumes", (golden.parent,))
    full = place.backup(line("golden", upto="3"), files=[b"/@GOLDEN/"])
    assert (full.outcome.status, full.outcome.totals.files) == (JobStatus.OK, 3)
    more = place.backup(line("golden"), files=[b"/@GOLDEN/"], level=Level.INCREMENTAL)
    assert (more.outcome.status, more.outcome.totals.files) == (JobStatus.OK, 2)
    back = place.restore(more.outcome.jobid, tmp_path / "r", line("golden"))
    assert back.outcome.status is JobStatus.OK, back.outcome
    assert "golden: golden: kind 2, 5 restored" in back.texts()  # it has looked at each byte


def test_a_golden_binary_keeps_the_contract_cancels_and_all(golden: Path) -> None:
    scanned = examine("golden", [golden.parent])
    assert scanned.about is not None
    report = conform(Subject(golden, scanned.about))
    # Where a state is put was said more clearly later; the host has a safeguard for agents of that age.
    assert report.verdict is not Verdict.FAILED, report.as_json()
    assert {one.name for one in report.checks if one.verdict is Verdict.WARNINGS} <= {"failed-entry"}
    assert {"cancel", "restore", "incremental", "later-host"} <= {
        one.name for one in report.checks if one.verdict is Verdict.PASSED
    }


# ---- a 1.2 -------------------------------------------------------------------------------------------------------


def test_the_draft_is_a_minor_version_by_the_rules_of_the_layout(later: Path) -> None:
    """Only appended to; and invisible to who asks for 1.0."""
    source = '#include "bplugin.h"\n_Static_assert(sizeof(bp_entry) == {}, "");\n'
    for define, size in ((), 216), (("-DBP_TARGET_VERSION=BP_VERSION(1,0)",), 208):
        command = ["gcc", "-fsyntax-only", "-x", "c", *define, f"-I{later}", "-"]
        subprocess.run(command, input=source.format(size), text=True, check=True)


def test_old_binaries_keep_the_contract_on_a_host_of_1_2(golden: Path, later_host: Path) -> None:
    said = filed_of(later_host, "agent", "check", golden, "-v", code=3)
    assert "speaking 1.0" in said
    assert "agent golden 1.0 keeps the contract: " in said
    assert ", 1 warnings," in said  # see the test above


def test_todays_agents_keep_the_contract_on_a_host_of_1_2(later_host: Path, tmp_path: Path) -> None:
    library = compile_agent("good.c", tmp_path, "good")
    assert "agent good 1.0 keeps the contract" in filed_of(later_host, "agent", "check", library)


def test_an_agent_of_1_2_has_all_of_a_host_of_1_2(later_agent: Path, later_host: Path, tmp_path: Path) -> None:
    said = filed_of(later_host, "agent", "check", later_agent, "-v")
    assert "speaking 1.2" in said
    assert "agent draft 1.2 keeps the contract" in said
    program = "import sys; from filed.cli.main import main; main(sys.argv[1:])"
    arguments = ["agent", "run", later_agent, "--backup", tmp_path / "v"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(later_host)},
    )
    assert "draft: a hint: 3 entries" in done.stderr
    assert "draft: version 1.2, room 216, hint 0, warmed 1" in done.stderr


def test_an_agent_of_1_2_runs_on_todays_host_without_what_is_new(later_agent: Path, tmp_path: Path) -> None:
    place = Place(tmp_path / "volumes", (later_agent.parent,))
    ran = place.backup(line("draft"), files=[b"/@DRAFT/"])
    assert (ran.outcome.status, ran.outcome.totals.files) == (JobStatus.OK, 3)
    assert "draft: version 1.1, room 208, hint -43, warmed 0" in ran.texts()
    scanned = examine("draft", [later_agent.parent])
    assert scanned.about is not None
    assert conform(Subject(later_agent, scanned.about)).verdict is Verdict.PASSED


def test_an_agent_that_uses_all_of_1_1_runs_on_the_frozen_host_of_1_0(tmp_path: Path, frozen_host: Path) -> None:
    said = told(frozen_host, compile_agent("today.c", tmp_path, "today"), "upto=3", "incremental:upto=5")
    assert said.startswith("loaded today 1.1\n")
    assert "message 2: from record 4 on; the log is needed from 0 on" in said
    assert said.count("saved /@TODAY/") == 5
    assert said.endswith("done\n")


def test_an_agent_that_uses_all_of_1_1_keeps_the_contract_on_every_host(tmp_path: Path) -> None:
    library = compile_agent("today.c", tmp_path, "today")
    scanned = examine("today", [tmp_path])
    assert scanned.about is not None
    report = conform(
        Subject(library, scanned.about),
        (
            "load",
            "instance",
            "backup",
            "estimate",
            "browse",
            "incremental",
            "parallel",
            "phases",
            "plan",
            "needed",
            "older-host",
        ),
    )
    assert {one.verdict for one in report.checks} == {Verdict.PASSED}, report.as_json()


def test_an_agent_of_1_2_runs_on_the_frozen_host_of_1_0(later_agent: Path, frozen_host: Path) -> None:
    said = told(frozen_host, later_agent)
    assert said.startswith("loaded draft 1.2\n")
    assert "message 2: version 1.0, room 208, hint -43, warmed 0" in said
    assert said.count("saved /@DRAFT/") == 6
    assert said.endswith("done\n")


def test_golden_binaries_run_on_the_frozen_host_they_were_made_for(golden: Path, frozen_host: Path) -> None:
    said = told(frozen_host, golden, "upto=3", "incremental:upto=5")
    assert "restored 5" in said
    assert "after a cancel: -24" in said


@pytest.mark.slow
@pytest.mark.parametrize("version", MANIFEST)
def test_a_golden_dll_tells_its_story_on_windows(version: str, tmp_path: Path, programs: Callable[..., None]) -> None:
    programs("wine", "x86_64-w64-mingw32-gcc")
    prefix = tmp_path / "wine"
    environment = {"WINEPREFIX": str(prefix), "WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml="}
    shutil.copyfile(ROOT / "abi" / "history" / f"bplugin-{version}.h", tmp_path / "bplugin.h")
    for name in ("host.c", "bplugin_sdk.h"):
        shutil.copyfile(FROZEN / f"host-{version}" / name, tmp_path / name)
    program = tmp_path / "host.exe"
    subprocess.run(["x86_64-w64-mingw32-gcc", "-std=c11", "-I.", "host.c", "-o", program], cwd=tmp_path, check=True)
    library = GOLDEN / f"golden-{version}" / "golden.dll"
    try:
        said = told("wine", program, library, "upto=3", "incremental:upto=5", **environment)
    finally:
        subprocess.run(["wineserver", "-k"], check=False, env=os.environ | environment, capture_output=True)
        shutil.rmtree(prefix, ignore_errors=True)
    assert "restored 5" in said
    assert "after a cancel: -24" in said


def test_there_is_a_golden_binary_for_each_source() -> None:
    assert set(MANIFEST) == {path.stem.removeprefix("golden-") for path in SOURCES.glob("golden-*.c")}
