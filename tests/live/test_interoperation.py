"""What one of `filed` and bacula-fd saved the other restores, and an Incremental of one stands upon a Full of the other.

All Jobs of one File Daemon run together, and both take turns: three of bacula-fd, three of ours. The tests look at what is left.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR

import pytest

from tests.live.bacula import Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import Shown, files_of, rows, shown, status_of
from tests.live.releases import Release

pytestmark = [pytest.mark.live, pytest.mark.root]

LONG_AGO = 1_600_000_000
OPTIONS = {
    "Plain": "signature = MD5",
    "Undigested": "",
    "Gzip1": "signature = SHA1; compression = GZIP1",
    "Gzip6Sparse": "signature = SHA256; compression = GZIP6; sparse = yes",
    "Gzip9": "signature = SHA512; compression = GZIP9",
    "Lzo": "signature = MD5; compression = LZO",
    "LzoSparse": "signature = SHA1; compression = LZO; sparse = yes",
    "Sparse": "signature = SHA256; sparse = yes",
    "Attributes": "signature = MD5; aclsupport = yes; xattrsupport = yes",
    "Unlinked": "signature = MD5; hardlinks = no",
}
CHAINS = {"Later": "", "Exact": "Accurate = yes", "Digested": "Accurate = yes"}
"""Jobs with an Incremental: directives of each."""
CHAIN_OPTIONS = {"Digested": "signature = SHA1; accurate = s5"}
ENCRYPTED = ("Plain", "Gzip6Sparse", "Lzo", "Attributes")
"""Those that are also saved with keys."""


@dataclass
class Turns:
    """before, after: the tree as it was, and as it was when the Incrementals ran.

    saved: (by whom, Job) -> JobId of a Full; later: of the Incremental upon it, by the other one.
    restored: (by whom, JobIds) -> what came back.
    """

    bacula: Bacula
    tree: Path
    before: Shown
    after: Shown = field(default_factory=dict)
    saved: dict[tuple[str, str], int] = field(default_factory=dict)
    later: dict[tuple[str, str], int] = field(default_factory=dict)
    back: dict[tuple[str, tuple[int, ...]], Shown] = field(default_factory=dict)

    def save(self, whose: str, names: list[str], level: str = "Full") -> dict[tuple[str, str], int]:
        """Each Job in the name of `whose`, all at once."""
        said = self.bacula.console(*(f"run job={whose}{name} level={level} yes" for name in names), "wait")
        ids = list(map(int, re.findall(r"JobId=(\d+)", said)))
        assert len(ids) == len(names), said
        bad = [name for name, job in zip(names, ids, strict=True) if status_of(self.bacula, job) != "T"]
        assert not bad, (bad, self._complaints())
        return {(whose, name): job for name, job in zip(names, ids, strict=True)}

    def _complaints(self) -> list[str]:
        return [line for line in self.bacula.messages().splitlines() if re.search("Warning|Error:|Fatal", line)]

    def restore(self, by: str, *chains: tuple[int, ...]) -> None:
        places = {chain: self.bacula.root / f"{by}-{'-'.join(map(str, chain))}" for chain in chains}
        commands = (
            f"restore client={self.bacula.client} jobid={','.join(map(str, chain))} where={place} all done yes"
            for chain, place in places.items()
        )
        self.bacula.console(*commands, "wait")
        statuses = rows(
            self.bacula, f"SELECT JobStatus FROM Job WHERE Type = 'R' ORDER BY JobId DESC LIMIT {len(chains)}"
        )
        assert set(statuses) == {("T",)}, self._complaints()
        for chain, place in places.items():
            self.back[by, chain] = shown(place / self.tree.relative_to("/"))
            shutil.rmtree(place)


def plant(tree: Path) -> None:
    """Every kind of entry that both know, of long ago."""
    (tree / "sub" / "empty").mkdir(parents=True)
    (tree / "text").write_text("a line that is in there many times\n" * 9000)
    (tree / "noise").write_bytes(os.urandom(200_000))
    with (tree / "hole").open("wb") as hole:
        hole.write(b"begin")
        hole.seek(1_000_000)
        hole.write(b"middle")
        hole.truncate(1_500_000)
    (tree / "zeros").write_bytes(bytes(131_072))
    (tree / "nothing").touch()
    (tree / os.fsdecode(b"sub/n\xffame with\nmore")).write_text("odd")
    (tree / "link").symlink_to("text")
    (tree / "sub" / "dangling").symlink_to("/nonexistent/far/away")
    (tree / "hard").hardlink_to(tree / "text")
    (tree / "sub" / "hard").hardlink_to(tree / "noise")
    os.mkfifo(tree / "fifo", 0o640)
    os.mknod(tree / "device", 0o020600, os.makedev(1, 3))
    (tree / "program").write_text("#!/bin/sh\n")
    (tree / "program").chmod(0o4755)
    os.chown(tree / "noise", 12345, 54321)
    os.setxattr(tree / "text", "user.filed", b"value\0with a NUL")
    os.setxattr(tree / "sub", "user.filed", b"of a directory")
    subprocess.run(["setfacl", "-m", "u:daemon:r,g:bin:rw", str(tree / "noise")], check=True)
    subprocess.run(["setfacl", "-m", "d:u:daemon:rx", str(tree / "sub")], check=True)
    age(tree)


def age(tree: Path) -> None:
    for path in (*tree.rglob("*"), tree):
        os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)


def change(tree: Path) -> None:
    """One of each kind that an Incremental, or an accurate one, sees."""
    (tree / "nothing").unlink()
    (tree / "sub" / "new").write_text("new")
    (tree / "zeros").write_bytes(bytes(10) + b"no longer")
    (tree / "program").chmod(0o700)
    (tree / "sub" / "empty").rename(tree / "sub" / "renamed")


@pytest.fixture(scope="module")
def turns(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Turns]:
    root = tmp_path_factory.mktemp("interoperation")
    tree = root / "tree"
    plant(tree)
    sets = OPTIONS | {name: CHAIN_OPTIONS.get(name, OPTIONS["Plain"]) for name in CHAINS}
    names = [*OPTIONS, *CHAINS]
    more = {name: CHAINS.get(name, "") for name in names}
    with ExitStack() as stack:
        bacula = stack.enter_context(Bacula(root, release=release))
        bacula.write_confs(
            file_sets="".join(
                f'FileSet {{ Name = {name}; Include {{ Options {{ {options} }} File = "{tree}" }} }}\n'
                for name, options in sets.items()
            ),
            jobs="".join(
                f"Job {{ Name = {whose}{name}; JobDefs = Common; FileSet = {name}; {more[name]} }}\n"
                for whose in ("Our", "Their", "OurSecret", "TheirSecret")
                for name in names
            ),
        )
        bacula.make_catalog()
        bacula.start("sd", "dir")
        turns = Turns(bacula, tree, shown(tree))
        bacula.start("fd")
        turns.saved |= turns.save("Their", names)
        bacula.stop("fd")
        with FiledDaemon(bacula):
            turns.saved |= turns.save("Our", names)
            turns.restore("Our", *((turns.saved["Their", name],) for name in OPTIONS))
            time.sleep(1.1)  # times of seconds: what follows must not lie in the second of the Fulls
            change(tree)
            turns.after = shown(tree)
            turns.later |= turns.save("Their", list(CHAINS), "Incremental")
            turns.restore("Our", *(_chain(turns, "Their", name) for name in CHAINS))
        bacula.start("fd")
        turns.restore("Their", *((turns.saved["Our", name],) for name in OPTIONS))
        turns.later |= turns.save("Our", list(CHAINS), "Incremental")
        turns.restore("Their", *(_chain(turns, whose, name) for whose in ("Our", "Their") for name in CHAINS))
        bacula.stop("fd")
        with FiledDaemon(bacula):
            turns.restore("Our", *(_chain(turns, "Our", name) for name in CHAINS))
        _with_keys(turns)
        yield turns


def _with_keys(turns: Turns) -> None:
    bacula, pair = turns.bacula, turns.bacula.etc / "pair.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=filed", "-days", "3650", "-keyout"]
    certificate = bacula.etc / "certificate.pem"
    subprocess.run(["openssl", *request, str(pair), "-out", str(certificate)], check=True, capture_output=True)
    with pair.open("a") as file:
        file.write(certificate.read_text())
    bacula.write_fd(f'PKI Signatures = yes; PKI Encryption = yes; PKI Keypair = "{pair}"')
    names = list(ENCRYPTED)
    bacula.start("fd")
    turns.saved |= turns.save("TheirSecret", names)
    bacula.stop("fd")
    with FiledDaemon(bacula):
        turns.saved |= turns.save("OurSecret", names)
        turns.restore("Our", *((turns.saved["TheirSecret", name],) for name in names))
    bacula.start("fd")
    turns.restore("Their", *((turns.saved["OurSecret", name],) for name in names))
    bacula.stop("fd")


def _chain(turns: Turns, whose: str, name: str) -> tuple[int, ...]:
    return turns.saved[whose, name], turns.later[whose, name]


@pytest.mark.parametrize("name", OPTIONS)
def test_each_restores_what_the_other_saved(turns: Turns, name: str) -> None:
    expected = _as_saved(turns.before, name)
    assert turns.back["Our", (turns.saved["Their", name],)] == expected
    assert turns.back["Their", (turns.saved["Our", name],)] == expected


@pytest.mark.parametrize("name", ENCRYPTED)
def test_each_restores_what_the_other_encrypted_and_signed(turns: Turns, name: str) -> None:
    expected = _as_saved(turns.after, name)
    assert turns.back["Our", (turns.saved["TheirSecret", name],)] == expected
    assert turns.back["Their", (turns.saved["OurSecret", name],)] == expected


@pytest.mark.parametrize("name", OPTIONS)
def test_both_leave_the_same_rows_in_the_catalog(turns: Turns, name: str) -> None:
    ours, theirs = turns.saved["Our", name], turns.saved["Their", name]
    assert files_of(turns.bacula, ours) == files_of(turns.bacula, theirs)


@pytest.mark.parametrize("name", CHAINS)
def test_an_incremental_upon_the_other_s_full_has_what_the_other_s_would_have(turns: Turns, name: str) -> None:
    ours, theirs = turns.later["Their", name], turns.later["Our", name]
    found = files_of(turns.bacula, ours)
    assert found == files_of(turns.bacula, theirs)
    assert f"{turns.tree}/sub/new" in {path for path, deleted, _ in found if not deleted}
    gone = {path for path, deleted, _ in found if deleted}
    assert gone == ({f"{turns.tree}/nothing", f"{turns.tree}/sub/empty/"} if name != "Later" else set())


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("whose", ["Our", "Their"])
def test_a_chain_of_both_is_restored_by_each(turns: Turns, name: str, whose: str) -> None:
    chain = _chain(turns, whose, name)
    ours, theirs = turns.back["Our", chain], turns.back["Their", chain]
    if name == "Digested":
        # No directory comes again, and bacula-fd does not mind the time of one that it puts a new file into.
        ours, theirs = _without_times_of_directories(ours), _without_times_of_directories(theirs)
    assert ours == theirs
    if name == "Exact":  # of the others not everything that changed, or is gone, is looked for
        assert ours == _as_saved(turns.after, name)


def _without_times_of_directories(tree: Shown) -> Shown:
    return {path: entry._replace(mtime=0) if S_ISDIR(entry.mode) else entry for path, entry in tree.items()}


def _as_saved(tree: Shown, name: str) -> Shown:
    """What options leave of a tree."""
    if name != "Attributes":
        tree = {path: entry._replace(xattrs=()) for path, entry in tree.items()}
    if name == "Unlinked":
        tree = {path: entry._replace(links=min(entry.links, 1)) for path, entry in tree.items()}
    return tree
