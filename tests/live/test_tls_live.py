"""TLS between `filed daemon` and the real Director and Storage Daemon: each case is also put to bacula-fd, and ends alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from filed.config.keys import Tls
from tests.live.bacula import Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import status_of
from tests.live.recording import Recorder
from tests.live.releases import Release
from tests.transport.certificates import Authority

pytestmark = pytest.mark.live


@dataclass(frozen=True)
class Case:
    """theirs, ours: TLS directives of the peer's resource about us, and of ours. said: by our log, or in the Job's report.

    one_side: only one has a certificate. Then releases with TLS by the shared key take that, and nobody is shut out.
    """

    theirs: str
    ours: str
    good: bool
    encrypted: bool = False
    said: str = ""
    one_side: bool = False

    def at(self, release: Release) -> Case:
        if not (self.one_side and release.newer):
            return self
        return replace(self, good=True, encrypted=True, said="")


def either_way(theirs: str) -> dict[str, Case]:
    """What one side can, and the other must. theirs: the peer's certificate."""
    can, must = "TLS Enable = yes; ", "TLS Enable = yes; TLS Require = yes; "
    return {
        "both can": Case(can + theirs, can + "{ours}", good=True, encrypted=True),
        "only they can": Case(can + theirs, "", good=True, one_side=True),
        "only we can": Case("", can + "{ours}", good=True, one_side=True),
        "only they must": Case(
            must + theirs, "", good=False, said="requires TLS, which is not enabled here", one_side=True
        ),
        "only we must": Case(
            "", must + "{ours}", good=False, said="does not offer TLS, which is required here", one_side=True
        ),
    }


FROM_DIRECTOR = either_way("{dir}") | {
    "both must": Case("TLS Require = yes; {dir}", "TLS Require = yes; {ours}", good=True, encrypted=True),
    "they have a certificate of somebody else": Case(
        "TLS Enable = yes; {stranger}", "TLS Enable = yes; {ours}", good=False, said="its certificate is not accepted"
    ),
    "they have none": Case(
        "TLS Enable = yes; {authority}",
        "TLS Enable = yes; {ours}",
        good=False,
        said="peer did not return a certificate",
    ),
    "they have none, and need none": Case(
        "TLS Enable = yes; {authority}", "TLS Enable = yes; TLS Verify Peer = no; {ours}", good=True, encrypted=True
    ),
    "we have a certificate of somebody else": Case(
        "TLS Enable = yes; {dir}", "TLS Enable = yes; {our_stranger}", good=False, said="unknown ca"
    ),
    "we have another name": Case("TLS Enable = yes; {dir}", "TLS Enable = yes; {other}", good=False),
    "their name is allowed": Case(
        "TLS Enable = yes; {dir}", 'TLS Enable = yes; TLS Allowed CN = "x", "t-dir"; {ours}', good=True, encrypted=True
    ),
    "their name is not allowed": Case(
        "TLS Enable = yes; {dir}",
        "TLS Enable = yes; TLS Allowed CN = x; {ours}",
        good=False,
        said="has a certificate of t-dir, which TLS Allowed CN does not list",
    ),
}
TO_STORAGE = either_way("{sd}") | {
    "we have none, and need none": Case(
        "TLS Enable = yes; TLS Verify Peer = no; {sd}", "TLS Enable = yes; {authority}", good=True, encrypted=True
    ),
    "we have a certificate of somebody else": Case(
        "TLS Enable = yes; TLS Verify Peer = yes; {sd}",
        "TLS Enable = yes; {known_stranger}",
        good=False,
        said="it may not accept our certificate",
    ),
    "they have a certificate of somebody else": Case(
        "TLS Enable = yes; TLS Verify Peer = no; {sd_stranger}",
        "TLS Enable = yes; {ours}",
        good=False,
        said="its certificate is not accepted",
    ),
    "they have another name": Case(
        "TLS Enable = yes; TLS Verify Peer = no; {other}",
        "TLS Enable = yes; {ours}",
        good=False,
        said="has a certificate of other, other.example",
    ),
    "our name is allowed": Case(
        "TLS Enable = yes; TLS Allowed CN = 127.0.0.1; {sd}", "TLS Enable = yes; {ours}", good=True, encrypted=True
    ),
    "our name is not allowed": Case(
        "TLS Enable = yes; TLS Allowed CN = x; {sd}",
        "TLS Enable = yes; {ours}",
        good=False,
        said="it may not accept our certificate",
    ),
}


def certificates(directory: Path) -> dict[str, str]:
    """Directives by the names that stand in the cases."""
    ours, theirs = Authority(directory), Authority(directory, "stranger")
    who = {
        "dir": ours.tls("t-dir"),
        "sd": ours.tls("127.0.0.1"),
        "ours": ours.tls("127.0.0.1"),
        "other": ours.tls("other", "other.example"),
        "stranger": theirs.tls("t-dir", ca_certificate_file=str(ours.path)),
        "sd_stranger": theirs.tls("127.0.0.1"),
        "our_stranger": theirs.tls("127.0.0.1", ca_certificate_file=str(ours.path)),
        "known_stranger": theirs.tls("t-fd", ca_certificate_file=str(ours.path)),
    }
    return {name: directives(tls) for name, tls in who.items()} | {
        "authority": f'TLS CA Certificate File = "{ours.path}"\n'
    }


def directives(tls: Tls) -> str:
    return (
        f'TLS CA Certificate File = "{tls.ca_certificate_file}"; TLS Certificate = "{tls.certificate}"; '
        f'TLS Key = "{tls.key}"\n'
    )


@dataclass(frozen=True)
class Saved:
    """Whether a backup was good, with us and with bacula-fd. job: ours."""

    ours: bool
    theirs: bool
    job: int


@dataclass
class World:
    """A Director that has a Client resource for each case of FROM_DIRECTOR, and a Storage for each of TO_STORAGE.

    client, storages: what stands between them and us, and listens.
    """

    bacula: Bacula
    named: dict[str, str]
    client: Recorder
    storages: dict[str, Recorder]
    known: dict[str, Saved] = field(default_factory=dict)

    def ask(self, name: str) -> str:
        """A status of the Client of a case."""
        return self.bacula.console(f"status client={_word(name)}")

    def saved(self, name: str) -> Saved:
        """How backups into the Storage of a case end. Those of all cases with the same conf of ours run at once."""
        conf = TO_STORAGE[name].ours
        if name not in self.known:
            names = [each for each, case in TO_STORAGE.items() if case.ours == conf]
            self.bacula.write_fd(conf.format(**self.named))
            self.bacula.start("fd")
            theirs = self._save(names)
            self.bacula.stop("fd")
            for each in names:
                self.storages[each].conversations.clear()
            with FiledDaemon(self.bacula):
                ours = self._save(names)
            for each in names:
                good = status_of(self.bacula, ours[each]) == "T", status_of(self.bacula, theirs[each]) == "T"
                self.known[each] = Saved(*good, ours[each])
        return self.known[name]

    def _save(self, names: list[str]) -> dict[str, int]:
        said = self.bacula.console(*(f"run job=Save storage={_word(name)} yes" for name in names), "wait")
        found = re.findall(r"JobId=(\d+)", said)
        assert len(found) == len(names), said
        return dict(zip(names, map(int, found), strict=True))


def _word(name: str) -> str:
    return re.sub(r"\W+", "-", name)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[World]:
    root = tmp_path_factory.mktemp("tls")
    named = certificates(root)
    (root / "saved").write_text("saved under TLS\n" * 100)
    file_set = f'FileSet {{ Name = Source; Include {{ Options {{ signature = MD5 }} File = "{root}/saved" }} }}'
    with ExitStack() as stack:
        bacula = stack.enter_context(Bacula(root, release=release))
        bacula.write_confs(
            file_sets=file_set,
            jobs="Job { Name = Save; JobDefs = Common; FileSet = Source; Maximum Concurrent Jobs = 20 }",
        )
        bacula.make_catalog()
        client = stack.enter_context(Recorder(bacula.ports["fd"]))
        more = "".join(
            bacula.client_resource(_word(name), case.theirs.format(**named), client.port)
            for name, case in FROM_DIRECTOR.items()
        )
        storages = {}
        for name, case in TO_STORAGE.items():
            word = _word(name)
            resource = bacula.add_storage(word, case.theirs.format(**named))
            storages[name] = stack.enter_context(Recorder(bacula.ports[word]))
            more += resource.replace(f"SDPort = {bacula.ports[word]}", f"SDPort = {storages[name].port}")
        with bacula.conf("dir").open("a") as conf:
            conf.write(more)
        bacula.start("dir", *map(_word, TO_STORAGE))
        yield World(bacula, named, client, storages)


@pytest.mark.parametrize("name", FROM_DIRECTOR)
def test_a_director_is_let_in_by_us_where_bacula_fd_lets_it_in(world: World, name: str) -> None:
    bacula = world.bacula
    case = FROM_DIRECTOR[name].at(bacula.release)
    bacula.write_fd(of_director=case.ours.format(**world.named))
    bacula.start("fd")
    theirs = "Daemon started" in world.ask(name)
    bacula.stop("fd")
    world.client.conversations.clear()
    with FiledDaemon(bacula) as daemon:
        ours = "Daemon started" in world.ask(name)
        daemon.expect(case.said)
    assert (ours, theirs) == (case.good, case.good)
    if case.good:
        clear = [conversation for conversation in world.client.conversations if b"JobId=" in conversation.raw(True)]
        assert bool(clear) is not case.encrypted


@pytest.mark.parametrize("name", TO_STORAGE)
def test_a_storage_daemon_is_trusted_by_us_where_bacula_fd_trusts_it(world: World, name: str) -> None:
    case, saved = TO_STORAGE[name].at(world.bacula.release), world.saved(name)
    report = [line for line in world.bacula.messages().splitlines() if f"JobId {saved.job}: " in line]
    assert (saved.ours, saved.theirs) == (case.good, case.good), report
    if case.good:
        clear = [each for each in world.storages[name].conversations if b"saved under TLS" in each.raw(True)]
        assert bool(clear) is not case.encrypted
    else:
        assert any(case.said in line for line in report), report
