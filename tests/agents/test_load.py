from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from filed.agents.abi import HEADER_VERSION, HOST_MAX, version, version_text
from filed.agents.load import agent_id, find, load
from filed.agents.trust import Writers
from filed.errors import AgentLoadError
from filed.process.status_page import StatusPage
from tests.agents.compile import compile_agent
from tests.agents.refuse import ACCEPTED, REFUSED, compile_dependent, compile_refused


@pytest.mark.parametrize("name", ["exchange", "exchange.so", "exchange.dll"])
def test_one_agent_has_three_spellings(name: str) -> None:
    assert agent_id(name) == "exchange"


@pytest.mark.parametrize("name", ["", "../x", "/usr/lib/x.so", "Exchange", "a.so.so", "a b", "-a", "a" * 33, "a\n"])
def test_a_path_or_a_strange_name_is_no_agent_s(name: str) -> None:
    with pytest.raises(AgentLoadError, match="no agent's name"):
        agent_id(name)


def test_the_first_directory_that_has_it_wins(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "two" / "a.so").touch()
    assert find("a.dll", [tmp_path / "one", tmp_path / "two"]) == tmp_path / "two" / "a.so"
    (tmp_path / "one" / "a.so").touch()
    assert find("a", [tmp_path / "one", tmp_path / "two"]) == tmp_path / "one" / "a.so"


def test_an_agent_that_is_nowhere_is_told_with_the_places(tmp_path: Path) -> None:
    with pytest.raises(AgentLoadError, match=f"there is no a\\.so; looked in: {tmp_path}"):
        load("a", [tmp_path])
    with pytest.raises(AgentLoadError, match="no directory is configured"):
        load("a", [])


def test_a_loaded_agent_says_what_it_is(agents_dir: Path) -> None:
    library = load("good.dll", [agents_dir])
    assert library.path == (agents_dir / "good.so").resolve()
    assert library.version == version(1, 0)
    assert library.descriptor.label == "good 1.0"
    assert str(library).startswith(
        f"agent good 1.0 from {library.path}: built with header {version_text(HEADER_VERSION)}, speaking 1.0"
    )


@pytest.mark.parametrize("variant", REFUSED)
def test_a_library_that_must_not_be_loaded_is_not_with_id_and_reason(tmp_path: Path, variant: str) -> None:
    compile_refused(variant, tmp_path)
    with pytest.raises(AgentLoadError) as refused:
        load("refuse", [tmp_path])
    text = str(refused.value)
    assert text.startswith("agent refuse: load: not loaded: ")
    assert any(word in text.lower() for word in REFUSED[variant])


@pytest.mark.parametrize("variant", ACCEPTED)
def test_a_library_that_goes_beyond_us_without_needing_it_is_loaded(tmp_path: Path, variant: str) -> None:
    compile_refused(variant, tmp_path)
    library = load("refuse", [tmp_path])
    assert library.version == (HOST_MAX if variant == "VERSION_WIDE" else version(1, 0))
    assert library.descriptor.can_backup
    assert not library.descriptor.can_restore


def test_a_symbol_of_a_dependency_is_not_the_agent_s(tmp_path: Path) -> None:
    compile_dependent(tmp_path)
    with pytest.raises(AgentLoadError, match=r"bplugin_query_v1 comes from .*good\.so"):
        load("refuse", [tmp_path])


def test_a_writable_directory_is_refused(agents_dir: Path, tmp_path: Path) -> None:
    shutil.copy(agents_dir / "good.so", tmp_path)
    tmp_path.chmod(0o777)
    with pytest.raises(AgentLoadError, match=f"agent good: load: not loaded: {tmp_path} can be written"):
        load("good", [tmp_path])


def test_what_a_symbolic_link_leads_to_is_checked_as_well(agents_dir: Path, tmp_path: Path) -> None:
    loose, link = tmp_path / "loose", tmp_path / "plugins"
    loose.mkdir()
    link.mkdir()
    shutil.copy(agents_dir / "good.so", loose)
    (link / "good.so").symlink_to(loose / "good.so")
    assert load("good", [link]).path == loose / "good.so"
    loose.chmod(0o777)
    with pytest.raises(AgentLoadError, match="loose can be written"):
        load("good", [link])


def test_a_library_whose_digest_is_not_listed_is_refused(agents_dir: Path) -> None:
    digest = hashlib.sha256((agents_dir / "good.so").read_bytes()).hexdigest()
    assert load("good", [agents_dir], digests=[digest]).descriptor.id == "good"
    with pytest.raises(AgentLoadError, match="SHA-256"):
        load("good", [agents_dir], digests=["f" * 64])


def test_writers_can_be_narrowed(agents_dir: Path) -> None:
    with pytest.raises(AgentLoadError, match="belongs to user"):
        load("good", [agents_dir], writers=Writers(frozenset({os.geteuid() + 4711})))


def test_a_cut_library_never_reaches_the_dynamic_linker(agents_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "good.so").write_bytes((agents_dir / "good.so").read_bytes()[:9000])
    with pytest.raises(AgentLoadError, match=r"not loaded: .* is cut short"):
        load("good", [tmp_path])


def test_loading_leaves_no_mark(agents_dir: Path) -> None:
    status_page = StatusPage()
    load("good", [agents_dir], status_page=status_page)
    assert status_page.current() is None
    assert status_page.progress.progress == 2


@pytest.mark.root
def test_a_library_that_this_user_may_not_look_at_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "agents").mkdir(parents=True)
    closed.chmod(0o700)
    tmp_path.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(AgentLoadError, match=r"cannot be looked at: Permission denied; let this user in"):
            find("filesystem", [closed / "agents"])
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("flag", ["-Wl,--enable-new-dtags", "-Wl,--disable-new-dtags"])
def test_an_agent_that_has_others_looked_for_where_anybody_may_write_is_refused(tmp_path: Path, flag: str) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    compile_agent("good.c", tmp_path, "good", flags=[flag, "-Wl,-rpath,$ORIGIN/shared"])
    with pytest.raises(
        AgentLoadError, match=f"its RUNPATH names .ORIGIN/shared: {shared} can be written by group or others"
    ):
        load("good", [tmp_path])
    shared.chmod(0o755)
    assert load("good", [tmp_path]).descriptor.id == "good"


@pytest.mark.parametrize("where", ["", "lib", "$LIB/x", "/tmp/nobody-has-made-this"])
def test_places_that_anybody_could_make_are_refused(tmp_path: Path, where: str) -> None:
    compile_agent("good.c", tmp_path, "good", flags=[f"-Wl,-rpath,/usr/lib:{where}"])
    with pytest.raises(AgentLoadError, match="its RUNPATH names"):
        load("good", [tmp_path])


def test_a_place_that_is_not_there_and_that_nobody_else_can_make_does_no_harm(tmp_path: Path) -> None:
    compile_agent("good.c", tmp_path, "good", flags=["-Wl,-rpath,/usr/lib/not-there:$ORIGIN"])
    assert load("good", [tmp_path]).descriptor.id == "good"


def test_a_library_for_another_system_alone_is_named(tmp_path: Path) -> None:
    (tmp_path / "exchange.dll").touch()
    with pytest.raises(
        AgentLoadError, match=r"exchange\.dll is a library for another system; this one loads exchange\.so"
    ):
        find("exchange.dll", [tmp_path])


def test_the_name_of_a_plugin_of_bacula_fd_leads_to_its_agent(tmp_path: Path) -> None:
    with pytest.raises(
        AgentLoadError, match="there is no agent bpipe; what it did is done by pipe: write `plugin pipe`"
    ):
        find("bpipe", [tmp_path])


def test_a_name_with_a_slip_of_the_pen_leads_to_the_agent_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "facts.so").touch()
    with pytest.raises(AgentLoadError, match=r"there is no fcts\.so \(did you mean 'facts'\?\); looked in: "):
        find("fcts", [tmp_path])
