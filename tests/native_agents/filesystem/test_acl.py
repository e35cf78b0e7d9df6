"""The agent's own conversion of access control lists, against what setfacl and getfacl say of the same file."""

from __future__ import annotations

import dataclasses
import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filed.agents import AgentStream

from .driving import Driver, Host, directory_item, file_item, fileset_of

PERMISSIONS = st.sampled_from(["---", "r--", "rw-", "rwx", "--x", "r-x", "-w-"])
IDS = st.integers(0, 2**32 - 2)


@pytest.fixture(autouse=True)
def _needs_acl(programs: Callable[..., None]) -> None:
    programs("setfacl", "getfacl")


def getfacl(path: Path, *options: str) -> bytes:
    run = subprocess.run(["getfacl", "-n", "-c", "-p", "-E", *options, path], capture_output=True, check=True)
    return run.stdout.rstrip(b"\n") + b"\n"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(users=st.dictionaries(IDS, PERMISSIONS, max_size=5), groups=st.dictionaries(IDS, PERMISSIONS, max_size=5))
def test_it_reads_what_getfacl_reads_and_sets_it_again(
    driver: Driver, tmp_path: Path, users: dict[int, str], groups: dict[int, str]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    wanted = [f"u:{user}:{bits}" for user, bits in users.items()] + [
        f"g:{group}:{bits}" for group, bits in groups.items()
    ]
    subprocess.run(["setfacl", "-b", file], check=True)
    if wanted:
        subprocess.run(["setfacl", "-m", ",".join(wanted), file], check=True)
    (item,) = driver.backup(fileset_of(file))
    text = item.text_of(AgentStream.ACL_ACCESS)
    assert text == (getfacl(file) if wanted else None)
    driver.restore([item], tmp_path / "target", host := Host(), strip=os.fsencode(tmp_path))
    assert host.said == []
    assert getfacl(tmp_path / "target" / "file") == getfacl(file)


def test_a_default_list_of_a_directory(driver: Driver, tmp_path: Path) -> None:
    text = b"user::rwx\nuser:4294967294:r-x\ngroup::r-x\nmask::r-x\nother::---\n"
    item = dataclasses.replace(directory_item(b"/d"), small=[(AgentStream.ACL_DEFAULT, text)])
    driver.restore([item], tmp_path)
    assert getfacl(tmp_path / "d", "-d").replace(b"default:", b"") == text


def test_names_comments_blanks_and_any_order_are_understood(driver: Driver, tmp_path: Path) -> None:
    someone = pwd.getpwuid(1).pw_name.encode()
    text = (
        b"# file: x\n  mask::rwx  \n\nother::---\t# nobody\nuser:" + someone + b":rw-\t#effective:rw-\n"
        b"g:7:r\nuser::rwx\ngroup::r-x\n"
    )
    item = dataclasses.replace(file_item(b"/file", b"x"), small=[(AgentStream.ACL_ACCESS, text)])
    host = Host()
    driver.restore([item], tmp_path, host)
    assert host.said == []
    assert getfacl(tmp_path / "file") == b"user::rwx\nuser:1:rw-\ngroup::r-x\ngroup:7:r--\nmask::rwx\nother::---\n"


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b"user", b"user::rwz\n", b"user:no-such-user-here:r--\n", b"nobody::rwx\n", b"user:4294967295:r--\n", b"::r\n",
     b"mask:5:r--\n", b"user:99999999999999999999:r--\n", b"user:" + b"x" * 300 + b":r--\n"],
)  # fmt: skip
def test_what_is_no_list_is_told_and_the_file_is_there(driver: Driver, tmp_path: Path, text: bytes) -> None:
    host = Host()
    item = dataclasses.replace(file_item(b"/file", b"x"), small=[(AgentStream.ACL_ACCESS, text)])
    driver.restore([item], tmp_path, host)
    assert (tmp_path / "file").read_bytes() == b"x"
    assert len(host.warnings()) == 1
    assert "access control list" in host.warnings()[0]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.binary(max_size=200) | st.text("user:gropmaskth-rwx \\0123#\n", max_size=100).map(str.encode))
def test_any_bytes_do_no_harm(driver: Driver, tmp_path: Path, text: bytes) -> None:
    item = dataclasses.replace(
        file_item(b"/file", b"x"), small=[(AgentStream.ACL_ACCESS, text), (AgentStream.XATTR, text)]
    )
    driver.restore([item], tmp_path)
    assert (tmp_path / "file").read_bytes() == b"x"
