from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from filed.errors import LocalProtocolError, StreamError
from filed.wire.acl import kernel_acl, pack_acl, parse_acl
from filed.wire.stream import Stream
from tests.wire.golden import hex_record


@pytest.mark.parametrize(("name", "stream"), [("acl-access", 1008), ("acl-default", 1007)])
def test_the_records_of_real_daemons_are_read_and_written_alike(name, stream):
    record = hex_record(name)
    text = parse_acl(record, stream)
    assert text.startswith(b"user::rw")
    assert text.endswith(b"\n")
    assert pack_acl(text) == record
    assert pack_acl(text.rstrip(b"\n")) == record


def test_names_of_users_and_groups_are_read():
    assert (
        parse_acl(b"user:daemon:rw-\ngroup:bin:r--\n\0", Stream.ACL_LINUX_ACCESS) == b"user:daemon:rw-\ngroup:bin:r--\n"
    )


def test_what_libacl_says_of_the_mask_s_effect_is_left_out():
    record = (
        b"user::rw-\nuser:daemon:r-x\t#effective:r--\ngroup::r-x              #effective:r--\nmask::r--\nother::r--\n\0"
    )
    assert (
        parse_acl(record, Stream.ACL_LINUX_ACCESS) == b"user::rw-\nuser:daemon:r-x\ngroup::r-x\nmask::r--\nother::r--\n"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"user::rw- # whatever\n",
        b"\0",
        b"user::rw",
        b"user::rwx\0group::r--\n",
        b"rm -rf /\n\0",
        b"user::rw-\n" * 200_000,
    ],
)
def test_anything_else_is_refused(data):
    with pytest.raises(StreamError):
        parse_acl(data, Stream.ACL_LINUX_ACCESS)
    with pytest.raises(LocalProtocolError):
        pack_acl(b"\0" + data[:100])


def number(name: str) -> int:
    return {"one": 1, "two": 2}[name]


@pytest.mark.parametrize("entries", ["u:1234:rw-,g:77:r-x", "u:5:---,u:4:rwx,g:9:--x,m::r--", "g:0:r--"])
def test_the_kernel_has_it_as_setfacl_makes_it(tmp_path: Path, entries: str) -> None:
    file = tmp_path / "file"
    file.touch()
    subprocess.run(["setfacl", "-m", entries, file], check=True)
    text = subprocess.run(["getfacl", "-cnpE", file], check=True, capture_output=True).stdout.strip() + b"\n\0"
    assert kernel_acl(text, number, number) == os.getxattr(file, "system.posix_acl_access")


def test_a_name_is_that_of_this_machine() -> None:
    by_name = kernel_acl(b"user::rw-\nuser:two:r--\ngroup:one:r-x\nother::---\n\0", number, number)
    assert by_name == kernel_acl(b"user::rw-\nuser:2:r--\ngroup:1:r-x\nother::---\n\0", number, number)
    with pytest.raises(StreamError, match="has the name b'three', which this machine does not know"):
        kernel_acl(b"user:three:r--\n\0", number, number)
