from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from filed.agents.trust import Writers, check_digest, check_path, trusted_writers
from filed.errors import AgentLoadError

US = Writers(frozenset({0, os.geteuid()}))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "plugins" / "a.so"
    path.parent.mkdir(mode=0o755)
    path.write_bytes(b"library")
    path.chmod(0o644)
    return path


def test_a_path_that_only_we_can_write_passes(library: Path) -> None:
    check_path("a", library, US)


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_directory_that_others_can_write_is_refused_with_what_to_do(library: Path, mode: int) -> None:
    library.parent.chmod(mode)
    with pytest.raises(AgentLoadError, match=f"not loaded: {library.parent} can be written .*; chmod go-w"):
        check_path("a", library, US)


def test_a_library_that_others_can_write_is_refused(library: Path) -> None:
    library.chmod(0o664)
    with pytest.raises(AgentLoadError, match=f"{library} can be written by group or others"):
        check_path("a", library, US)


def test_a_sticky_directory_passes_since_the_next_part_is_checked(library: Path) -> None:
    library.parent.chmod(0o1777)
    check_path("a", library, US)


def test_an_owner_that_is_not_accepted_is_refused_with_what_to_do(library: Path) -> None:
    with pytest.raises(AgentLoadError, match=r"belongs to user \d+, accepted are 4711; .* chown"):
        check_path("a", library, Writers(frozenset({4711})))


@pytest.mark.root
def test_a_part_of_somebody_else_s_is_named(library: Path) -> None:
    os.chown(library, 4711, 4711)
    with pytest.raises(AgentLoadError, match=f"{library} belongs to user 4711"):
        check_path("a", library, US)
    check_path("a", library, Writers(US.users | {4711}))


def test_of_a_symbolic_link_only_the_owner_counts(library: Path) -> None:
    link = library.parent / "b.so"
    link.symlink_to(library)
    check_path("b", link, US)


def test_what_is_no_file_is_refused(library: Path) -> None:
    with pytest.raises(AgentLoadError, match="not a regular file"):
        check_path("a", library.parent, US)
    with pytest.raises(AgentLoadError, match="cannot look at"):
        check_path("a", library.parent / "none.so", US)


def test_a_group_may_write_where_it_is_trusted_and_the_world_nowhere(library: Path) -> None:
    library.parent.chmod(0o775)
    group = Writers(US.users, frozenset({library.parent.stat().st_gid}))
    check_path("a", library, group)
    library.parent.chmod(0o777)
    with pytest.raises(AgentLoadError, match="group or others"):
        check_path("a", library, group)


def test_root_we_and_those_who_can_write_filed_itself_are_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import filed

    package = tmp_path / "filed"
    package.mkdir()
    package.chmod(0o755)
    monkeypatch.setattr(filed, "__file__", str(package / "__init__.py"))
    writers = trusted_writers()
    assert writers.users == {0, os.geteuid(), package.stat().st_uid}
    assert package.stat().st_gid not in writers.groups
    package.chmod(0o775)
    assert package.stat().st_gid in trusted_writers().groups


def test_a_digest_that_is_not_listed_is_refused_and_told(library: Path) -> None:
    digest = hashlib.sha256(b"library").hexdigest()
    check_digest("a", library, [digest])
    with pytest.raises(AgentLoadError, match=digest):
        check_digest("a", library, ["0" * 64])
