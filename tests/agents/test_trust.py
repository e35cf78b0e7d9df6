from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from filed.agents.trust import check_digest, check_path, trusted_owners
from filed.errors import AgentLoadError

US = {0, os.geteuid()}


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
        check_path("a", library, {4711})


@pytest.mark.root
def test_a_part_of_somebody_else_s_is_named(library: Path) -> None:
    os.chown(library, 4711, 4711)
    with pytest.raises(AgentLoadError, match=f"{library} belongs to user 4711"):
        check_path("a", library, US)
    check_path("a", library, US | {4711})


def test_of_a_symbolic_link_only_the_owner_counts(library: Path) -> None:
    link = library.parent / "b.so"
    link.symlink_to(library)
    check_path("b", link, US)


def test_what_is_no_file_is_refused(library: Path) -> None:
    with pytest.raises(AgentLoadError, match="not a regular file"):
        check_path("a", library.parent, US)
    with pytest.raises(AgentLoadError, match="cannot look at"):
        check_path("a", library.parent / "none.so", US)


def test_root_we_and_the_owner_of_filed_itself_are_trusted() -> None:
    import filed

    assert {0, os.geteuid(), Path(filed.__file__).parent.stat().st_uid} == trusted_owners()


def test_a_digest_that_is_not_listed_is_refused_and_told(library: Path) -> None:
    digest = hashlib.sha256(b"library").hexdigest()
    check_digest("a", library, [digest])
    with pytest.raises(AgentLoadError, match=digest):
        check_digest("a", library, ["0" * 64])
