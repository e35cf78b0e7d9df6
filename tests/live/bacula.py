"""Debian's Bacula programs, each test with its own: confs, ports, directories, catalog, and a clean end.

    with Bacula(tmp_path) as bacula:
        bacula.write_confs()
        bacula.make_catalog()
        bacula.start("sd", "fd", "dir")
        print(bacula.console("run job=Save yes", "wait", "messages"))

Nothing outside `root` is read or written, so several may run at once. The single tools (`bls`, `bextract`, `bscan`) need
`write_confs` only.
"""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.live.releases import BACULA_9, Release

TIMEOUT_S = 90  # a Director that loses its File Daemon in a backup takes a minute to end the Job
CATALOG_NAME = "catalog"
DEVICE = "Files"
MEDIA_TYPE = "File"

_PROGRAMS = {"dir": "bacula-dir", "sd": "bacula-sd", "fd": "bacula-fd"}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now, and that the kernel gives to no outgoing connection."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Bacula:
    """A Director, a Storage Daemon, a File Daemon, a console; any of them may be left out.

    volumes: the Archive Device. release: whose programs they are. Name and password of everybody to everybody are in `password` and the names below.
    """

    director, storage, client = "t-dir", "t-sd", "t-fd"

    def __init__(self, root: Path, volumes: Path | None = None, release: Release = BACULA_9) -> None:
        self.root, self.release = root / "bacula", release
        self.etc, self.work = self.root / "etc", self.root / "work"
        self.volumes = volumes or self.root / "volumes"
        for directory in (self.etc, self.work, self.volumes):
            directory.mkdir(parents=True, exist_ok=True)
        self.password = secrets.token_hex(16)
        self.ports: dict[str, int] = {}
        while len(set(self.ports.values())) < len(_PROGRAMS):
            self.ports = {name: free_port() for name in _PROGRAMS}
        self._programs = dict(_PROGRAMS)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(*self._running)

    # Confs

    def conf(self, name: str) -> Path:
        """`dir`, `sd`, `fd` or `console`."""
        return self.etc / f"{name}.conf"

    def write_confs(
        self,
        *,
        file_sets: str = "",
        jobs: str = "",
        pool: str = "",
        device: str = "",
        client: str = "",
        director: str = "",
    ) -> None:
        """All four. The arguments are conf text: whole resources for FileSets and Jobs, directives for the others.

        There are: Pool `Default`, Storage `Disk`, Client `t-fd`, Messages `Standard` (a log in `root`/messages), a JobDefs
        `Common` with all of these, and a Job `Restore`.
        """
        self.conf("sd").write_text(self._sd(device))
        self.write_fd(client)
        self.conf("dir").write_text(self._dir(file_sets, jobs, pool, director))
        self.conf("console").write_text(
            f"Director {{ Name = {self.director}; DIRport = {self.ports['dir']}; Address = 127.0.0.1;"
            f' Password = "{self.password}" }}\n'
        )

    def write_fd(self, client: str = "", of_director: str = "") -> None:
        """The File Daemon's conf alone. Directives: of its FileDaemon resource, of its Director resource."""
        self.conf("fd").write_text(self._fd(client, of_director))

    def client_resource(self, name: str, directives: str = "", port: int = 0) -> str:
        """One more name that the Director has for the File Daemon: a Client resource, for its conf."""
        return (
            f"Client {{\n  Name = {name}\n  Address = 127.0.0.1\n  FDPort = {port or self.ports['fd']}\n"
            f'  Password = "{self.password}"\n  Catalog = Catalog\n  AutoPrune = no\n  Maximum Concurrent Jobs = 20\n{directives}\n}}\n'
        )

    def add_storage(self, name: str, directives: str = "", *, of_director: str = "", to_it: str = "") -> str:
        """The conf of one more Storage Daemon, `start`ed by that name, with Volumes of its own. Behind `write_confs`.

        The arguments are directives: of its Storage resource, of its Director resource, and of the Storage resource that the
        Director needs for it, which is returned.
        """
        self.ports[name] = free_port()
        self._programs[name] = _PROGRAMS["sd"]
        volumes = self.root / f"volumes-{name}"
        volumes.mkdir()
        text = self.conf("sd").read_text()
        for old, new in (
            (f"SDPort = {self.ports['sd']}", f"SDPort = {self.ports[name]}\n{directives}"),
            (
                f'Name = {self.director}; Password = "{self.password}"',
                f'Name = {self.director}; Password = "{self.password}"\n{of_director}\n',
            ),
            (str(self.volumes), str(volumes)),
            (f"Media Type = {MEDIA_TYPE}", f"Media Type = {name}"),
        ):
            assert text.count(old) == 1
            text = text.replace(old, new)
        self.conf(name).write_text(text)
        return (
            f"Storage {{\n  Name = {name}\n  Address = 127.0.0.1\n  SDPort = {self.ports[name]}\n"
            f'  Password = "{self.password}"\n  Device = {DEVICE}\n  Media Type = {name}\n{to_it}\n}}\n'
        )

    def _common(self, name: str, port: str) -> str:
        return (
            f'  Name = {name}\n  WorkingDirectory = "{self.work}"\n  Pid Directory = "{self.work}"\n'
            f"  Maximum Concurrent Jobs = 20\n  {port} = {self.ports[port[:-4].lower()]}\n"
        )

    def _messages(self, director: bool) -> str:  # noqa: FBT001 - two cases of one resource
        to = (
            f'append = "{self.root}/messages" = all, !skipped'
            if director
            else f"director = {self.director} = all{', !verified' if self.release.newer else ''}"
        )
        return f"Messages {{\n  Name = Standard\n  {to}\n}}\n"

    def _sd(self, device: str) -> str:
        return (
            f"Storage {{\n{self._common(self.storage, 'SDPort')}  SDAddress = 127.0.0.1\n}}\n"
            f'Director {{ Name = {self.director}; Password = "{self.password}" }}\n'
            f'Device {{\n  Name = {DEVICE}\n  Media Type = {MEDIA_TYPE}\n  Archive Device = "{self.volumes}"\n'
            f"  LabelMedia = yes\n  Random Access = yes\n  AutomaticMount = yes\n  RemovableMedia = no\n"
            f"  AlwaysOpen = no\n  Maximum Concurrent Jobs = 5\n{device}\n}}\n{self._messages(director=False)}"
        )

    def _fd(self, client: str, of_director: str) -> str:
        return (
            f"FileDaemon {{\n{self._common(self.client, 'FDPort')}  FDAddress = 127.0.0.1\n{client}\n}}\n"
            f'Director {{ Name = {self.director}; Password = "{self.password}"\n{of_director}\n}}\n'
            f"{self._messages(director=False)}"
        )

    def _dir(self, file_sets: str, jobs: str, pool: str, director: str) -> str:
        return (
            f"Director {{\n{self._common(self.director, 'DirPort')}  DirAddress = 127.0.0.1\n"
            f'  QueryFile = "/dev/null"\n  Password = "{self.password}"\n  Messages = Standard\n{director}\n}}\n'
            f'Catalog {{ Name = Catalog; dbname = "{CATALOG_NAME}"; dbuser = ""; dbpassword = "" }}\n'
            f"{self.client_resource(self.client)}"
            f"Storage {{\n  Name = Disk\n  Address = 127.0.0.1\n  SDPort = {self.ports['sd']}\n"
            f'  Password = "{self.password}"\n  Device = {DEVICE}\n  Media Type = {MEDIA_TYPE}\n'
            f"  Maximum Concurrent Jobs = 5\n}}\n"
            f"Pool {{\n  Name = Default\n  Pool Type = Backup\n  Recycle = no\n  AutoPrune = no\n"
            f'  Label Format = "Auto-"\n{pool}\n}}\n'
            f'FileSet {{ Name = Nothing; Include {{ File = "/nonexistent" }} }}\n{file_sets}\n'
            f"JobDefs {{\n  Name = Common\n  Type = Backup\n  Level = Full\n  Client = {self.client}\n  FileSet = Nothing\n"
            f"  Storage = Disk\n  Pool = Default\n  Messages = Standard\n}}\n{jobs}\n"
            f'Job {{ Name = Restore; JobDefs = Common; Type = Restore; Where = "{self.root}/restored" }}\n'
            f"{self._messages(director=True)}"
        )

    # Daemons

    def make_catalog(self) -> Path:
        """An empty SQLite catalog, by the package's own script."""
        script = self.release.catalog_script.read_text(encoding="latin-1")
        script = script.replace("XXX_DBNAME_XXX", CATALOG_NAME).replace("/var/lib/bacula", str(self.work))
        self._run("sh", "-s", text=script)
        catalog = self.work / f"{CATALOG_NAME}.db"
        assert catalog.stat().st_size
        return catalog

    def start(self, *names: str) -> None:
        """Start daemons in the foreground as children of ours, and wait until each listens."""
        for name in names:
            log = (self.root / f"{name}.log").open("ab")
            command = [self.release.program(self._programs[name]), "-f", "-c", str(self.conf(name))]
            with log:
                self._running[name] = subprocess.Popen(
                    command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.release.environment
                )
        for name in names:
            self._wait_for(name)

    def stop(self, *names: str) -> None:
        for name in names:
            process = self._running.pop(name, None)
            if process is not None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def _wait_for(self, name: str) -> None:
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            if self._running[name].poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.ports[name]), 1).close()
            except OSError:
                time.sleep(0.05)  # there is nothing to wait on: the daemon tells nobody that it listens
            else:
                return
        log = (self.root / f"{name}.log").read_text(errors="replace")
        raise AssertionError(f"{self._programs[name]} did not start: {log}")

    def console(self, *commands: str) -> str:
        """What bconsole says to these commands."""
        return self.console_bytes(*commands).decode(errors="replace")

    def console_bytes(self, *commands: str) -> bytes:
        """The same, where names in it may be no text."""
        text = "\n".join([*commands, "quit", ""])
        return self._run_for_bytes("bconsole", "-n", "-c", str(self.conf("console")), text=text, cwd=self.root)

    def messages(self) -> str:
        """The Director's log of all Jobs."""
        path = self.root / "messages"
        return path.read_text(errors="replace") if path.exists() else ""

    def expect(self, text: str, seconds: float = TIMEOUT_S) -> None:
        """Wait until the Director's log has `text`: it is written a little after `wait` in the console returns."""
        end = time.monotonic() + seconds
        while text not in self.messages():
            assert time.monotonic() < end, f"no {text!r} in: {self.messages()}"
            time.sleep(0.05)  # a log file does not wake anybody

    # Tools that read Volumes alone

    def bls(self, volumes: str, *options: str) -> str:
        """volumes: one name, or several joined by `|`."""
        return self._run("bls", "-c", str(self.conf("sd")), *options, "-V", volumes, DEVICE, cwd=self.work)

    def bextract(self, volumes: str, into: Path, *options: str) -> str:
        into.mkdir(exist_ok=True)
        arguments = ["-c", str(self.conf("sd")), *options, "-V", volumes, DEVICE, str(into)]
        return self._run("bextract", *arguments, cwd=self.work)

    def bscan(self, volumes: str, *options: str) -> str:
        """With `-s -m` it fills the catalog of `make_catalog`."""
        database = ["-w", str(self.work), "-n", CATALOG_NAME]
        arguments = ["-c", str(self.conf("sd")), *options, *database, "-V", volumes, DEVICE]
        return self._run("bscan", *arguments, cwd=self.work)

    def _run(self, program: str, *arguments: str, text: str = "", cwd: Path | None = None) -> str:
        return self._run_for_bytes(program, *arguments, text=text, cwd=cwd).decode(errors="replace")

    def _run_for_bytes(self, program: str, *arguments: str, text: str = "", cwd: Path | None = None) -> bytes:
        done = subprocess.run(
            [self.release.program(program) if program != "sh" else program, *arguments],
            input=text.encode(),
            cwd=cwd,
            env=self.release.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert not done.returncode, f"{program} ended with {done.returncode}: {done.stdout.decode(errors='replace')}"
        return done.stdout
