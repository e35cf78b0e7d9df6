"""Borders of file systems: our FileSet rules against a real bacula-fd, which lists what it would save (`estimate`)."""

import contextlib
import ctypes
import hashlib
import hmac
import os
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from filed.fileset import FileSet, Include, Matcher, Options, Verdict, wire_lines
from tests.live.releases import Release

pytestmark = [pytest.mark.live, pytest.mark.root]

PASSWORD = "secret-of-the-test"


class Daemon:
    """A bacula-fd of our own, asked as a Director asks it."""

    def __init__(self, directory: Path, release: Release) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        conf = directory / "fd.conf"
        conf.write_text(
            f'Director {{ Name = t-dir; Password = "{PASSWORD}" }}\n'
            f"FileDaemon {{ Name = t-fd; FD Port = {self.port}; FD Address = 127.0.0.1\n"
            f"  Comm Compression = no; Working Directory = {directory}; Pid Directory = {directory} }}\n"
            "Messages { Name = S; director = t-dir = all }\n"
        )
        environment = release.environment | {"LC_ALL": "C.UTF-8"}
        command = [release.program("bacula-fd"), "-f", "-c", conf]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        for _ in range(100):
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise AssertionError("bacula-fd does not listen")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def estimate(self, fileset: FileSet) -> set[bytes]:
        """The names it would save."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            wire = connection.makefile("rwb")

            def send(text: bytes | int) -> None:
                wire.write(
                    text.to_bytes(4, "big", signed=True)
                    if isinstance(text, int)
                    else len(text).to_bytes(4, "big") + text
                )
                wire.flush()

            def receive() -> bytes | int:
                length = int.from_bytes(wire.read(4), "big", signed=True)
                return wire.read(length) if length >= 0 else length

            def reply(expected: bytes) -> None:
                answer = receive()
                assert isinstance(answer, bytes), answer
                assert answer.startswith(expected), answer

            secret = hashlib.md5(PASSWORD.encode()).hexdigest().encode()
            send(b"Hello Director t-dir calling 5\n")
            challenge = receive()
            assert isinstance(challenge, bytes)
            send(response(secret, challenge.split()[2]) + b"\0")
            reply(b"1000 OK auth")
            send(b"auth cram-md5 <1.2@t-dir> ssl=0\n")
            receive()
            send(b"1000 OK auth\n")
            reply(b"2000 OK Hello")
            send(b"JobId=0 Job=-Console-.x SDid=0 SDtime=0 Authorization=dummy\n")
            reply(b"2000 OK Job")
            send(b"level = full  mtime_only=0 \n")
            reply(b"2000 OK level")
            send(b"fileset\n")
            for line in wire_lines(fileset):
                send(line + b"\n")
            send(-1)
            reply(b"2000 OK include")
            send(b"estimate listing=1\n")
            names = set()
            while not isinstance(line := receive(), int):
                if line[:1] in b"-dlfcbps":
                    names.add(line.rstrip(b"\n\0").split(b":", 2)[2][4:].partition(b" -> ")[0])
            return names


def response(secret: bytes, challenge: bytes) -> bytes:
    """The reply to `cram-md5`, whose base64 takes bytes as signed and does not align the last digit."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    register, bits, out = 0, 0, bytearray()
    for byte in hmac.digest(secret, challenge, "md5"):
        register = ((register << 8) | ((byte - 256 if byte >= 128 else byte) & 0xFFFFFFFF)) & 0xFFFFFFFF
        bits += 8
        while bits >= 6:
            out.append(alphabet[(register >> (bits - 6)) & 63])
            bits -= 6
    if bits:
        out.append(alphabet[register & ((1 << bits) - 1)])
    return bytes(out)


def fs_type(path: bytes) -> int:
    """f_type, the first word of what statfs(2) fills."""
    buffer = ctypes.create_string_buffer(512)
    assert ctypes.CDLL(None).statfs(path, buffer) == 0
    return ctypes.c_long.from_buffer(buffer).value


def ours(fileset: FileSet) -> set[bytes]:
    """The names we would save, walking as an agent does."""
    matcher = Matcher(fileset)
    taken: set[bytes] = set()

    def walk(path: bytes, *, top: bool) -> None:
        info = os.lstat(path)
        if not stat.S_ISDIR(info.st_mode):
            if top or matcher.file(path):
                taken.add(path)
            return
        verdict, _ = matcher.directory(path, info.st_dev, fs_type(path), top=top)
        if verdict == Verdict.SKIP:
            return
        if verdict == Verdict.TAKE:
            for name in os.listdir(path):
                walk(path.rstrip(b"/") + b"/" + name, top=False)
        if top or matcher.directory_entry(path):
            taken.add(path)

    for include in fileset.includes:
        for path in include.files:
            walk(path, top=True)
    return taken


@pytest.fixture(scope="module")
def daemon(tmp_path_factory, release):
    running = Daemon(tmp_path_factory.mktemp("fd"), release)
    yield running
    running.stop()


@pytest.fixture
def mounts(tmp_path):
    """A tree with a tmpfs in it, and another in that."""
    made = []
    for name in ("mnt", "mnt/d/inner"):
        place = tmp_path / "t" / name
        place.mkdir(parents=True)
        if subprocess.run(["mount", "-t", "tmpfs", "none", place], check=False).returncode:
            pytest.skip("may not mount")
        made.append(place)
        (place / "d" / "e").mkdir(parents=True)
        (place / "d" / "e" / "file").write_bytes(b"x")
    (tmp_path / "t" / "d").mkdir()
    yield tmp_path / "t"
    for place in reversed(made):
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("types", [(), ("ext2",), ("tmpfs",), ("ext2", "tmpfs"), ("xfs",)])
@pytest.mark.parametrize(
    "blocks",
    [
        lambda types: (Options(fstypes=types),),
        lambda types: (Options(onefs=False, fstypes=types),),
        lambda types: (Options(onefs=False, fstypes=types, wilddir=(b"*/mnt",)), Options()),
        lambda types: (Options(wilddir=(b"*/mnt",)), Options(onefs=False, fstypes=types)),
        lambda types: (Options(exclude=True, wild=(b"*.o",)), Options(onefs=False, fstypes=types)),
        lambda types: (Options(onefs=False, fstypes=types), Options(exclude=True, wild=(b"*.o",))),
    ],
)
def test_bacula_fd_would_cross_the_same_borders(daemon, mounts, types, blocks):
    for path in (mounts, mounts / "mnt", mounts / "mnt" / "d"):
        fileset = FileSet((Include(blocks(types), (bytes(path),)),))
        here, there = ours(fileset), daemon.estimate(fileset)
        assert (here - there, there - here) == (set(), set()), [*wire_lines(fileset)]
