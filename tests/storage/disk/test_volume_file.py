from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from filed.errors import VolumeError
from filed.storage.disk.volume_file import VolumeFile, explain


def made(path: Path) -> VolumeFile:
    volume = VolumeFile.create(path)
    assert volume is not None
    return volume


def test_a_new_volume_is_for_its_owner_to_write_and_the_group_to_read(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        made(tmp_path / "Vol").close()
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "Vol").stat().st_mode) == 0o640


def test_a_name_that_is_taken_is_not_made(tmp_path: Path) -> None:
    made(tmp_path / "Vol").close()
    assert VolumeFile.create(tmp_path / "Vol") is None


def test_only_one_has_it(tmp_path: Path) -> None:
    first = made(tmp_path / "Vol")
    assert VolumeFile.lock(tmp_path / "Vol") is None
    first.close()
    second = VolumeFile.lock(tmp_path / "Vol")
    assert second is not None
    second.close()
    second.close()


def test_what_is_not_there_is_nobodys(tmp_path: Path) -> None:
    assert VolumeFile.lock(tmp_path / "Vol") is None


def test_a_file_that_was_made_anew_meanwhile_is_not_taken_for_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "Vol"
    made(path).close()
    real = fcntl.flock

    def replaced(fd: int, how: int) -> None:
        path.rename(tmp_path / "Old")
        path.touch()
        real(fd, how)

    monkeypatch.setattr(fcntl, "flock", replaced)
    assert VolumeFile.lock(path) is None


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"x" * 100)
    (tmp_path / "Vol").symlink_to("precious")
    with pytest.raises(VolumeError, match="cannot be opened"):
        VolumeFile.lock(tmp_path / "Vol")


@pytest.mark.root
def test_nothing_is_written_into_a_file_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "Vol").touch()
    os.chown(tmp_path / "Vol", 12_345, -1)
    with pytest.raises(VolumeError, match="belongs to user 12345"):
        VolumeFile.lock(tmp_path / "Vol")


def test_a_fifo_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "Vol")
    with pytest.raises(VolumeError, match="not a plain file"):
        VolumeFile.lock(tmp_path / "Vol")


def test_bytes_go_where_the_offset_is(tmp_path: Path) -> None:
    volume = made(tmp_path / "Vol")
    volume.write(memoryview(b"one"))
    volume.write(memoryview(b"two"))
    volume.sync()
    assert (volume.offset, volume.size(), volume.read(2, 3)) == (6, 6, b"etw")
    volume.truncate(4)
    volume.write(memoryview(b"!"))
    assert (tmp_path / "Vol").read_bytes() == b"onet!"
    volume.close()


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real(fd, data[:7], offset))
    volume = made(tmp_path / "Vol")
    volume.write(memoryview(bytes(range(100))))
    volume.close()
    assert (tmp_path / "Vol").read_bytes() == bytes(range(100))


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "free some space or prune"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "Maximum Volume Bytes"),
        (errno.EIO, "check the disk"),
        (errno.EROFS, "read-only"),
    ],
)
def test_a_failure_says_where_why_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    volume = made(tmp_path / "Vol")

    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    for name, call in (
        ("pwrite", lambda: volume.write(memoryview(b"x"))),
        ("fsync", volume.sync),
        ("ftruncate", lambda: volume.truncate(0)),
        ("pread", lambda: volume.read(0, 1)),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, fail)
            with pytest.raises(VolumeError) as caught:
                call()
        assert str(tmp_path / "Vol") in str(caught.value)
        assert os.strerror(code) in str(caught.value)
        assert advice in str(caught.value)
    volume.close()


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(VolumeError, match="cannot lock files"):
        VolumeFile.create(tmp_path / "Vol")


def test_a_removed_volume_is_gone_and_free(tmp_path: Path) -> None:
    made(tmp_path / "Vol").remove()
    assert list(tmp_path.iterdir()) == []
    made(tmp_path / "Vol").close()


def test_an_unknown_error_needs_no_advice(tmp_path: Path) -> None:
    text = str(explain("it broke", tmp_path, OSError(errno.EDOM, "odd")))
    assert text == f"it broke: {tmp_path}: odd"


def test_a_descriptor_that_somebody_closed_and_took_is_noticed(tmp_path: Path) -> None:
    """As code that closes its own descriptor twice does: the Volume's number is another file's then."""
    volume = made(tmp_path / "Vol")
    mine = next(
        number
        for number in range(3, 256)
        if os.path.exists(f"/proc/self/fd/{number}") and os.readlink(f"/proc/self/fd/{number}") == str(tmp_path / "Vol")
    )
    with (tmp_path / "log").open("wb") as log:
        os.dup2(log.fileno(), mine)
        volume.write(memoryview(b"bytes of a Job"))
        with pytest.raises(VolumeError, match="the descriptor of Volume Vol was closed by an agent of this Job"):
            volume.sync()
    volume.close()
