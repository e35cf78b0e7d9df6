"""`filed daemon` beside bacula-fd: the same Director, Storage Daemon, confs, data and FileSet, in turn; medians.

Each turn has a new Director, Storage Daemon and catalog, and every other round the order is turned round. One Job saves a tree, one restores it into an empty directory, then,
for some works, two save it at once. The time of a Job is that from the Director's call until the File Daemon's "End Job", as a relay
between them sees it; the processor time is that of the File Daemon with all its processes, user and system.

    python -m tests.bench.against_bacula_fd [--works small text ...] [--release 15.0.3]

With 15 the way to the Storage Daemon is encrypted by the shared key, as it is by default; that from the Director is in clear, for the relay.
It prints Markdown tables for docs/benchmarks.md. On a busy machine only the ratios mean something, and of those rather the
ones of processor time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import datasets
from tests.bench.beside import MUCH, NOTE, beside, processor_s
from tests.bench.measure import have_memory, machine, spread, stored, warm
from tests.bench.relay import Relay
from tests.live.bacula import Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.releases import BACULA_9, RELEASES, Release

PATIENCE_S = 600
MEMORY_BYTES = 4 << 30  # what two Jobs write stays in the page cache at first
MANY_FILES = 1_000  # are left lying until the end: see "Two traps" in docs/benchmarks.md


@dataclass(frozen=True, slots=True)
class Work:
    """What is saved, and how. at_least: how many times as fast as bacula-fd a Full shall be."""

    tree: str
    options: str
    at_least: float
    pki: bool = False
    two: bool = False  # measure two Jobs at once, too


WORKS = {
    "random": Work("random", "signature = MD5", 1.1, two=True),
    "text": Work("text", "signature = MD5; compression = GZIP6", 4),
    "small": Work("small", "signature = MD5", 1.3, two=True),
    "pki": Work("random", "signature = MD5", 1.3, pki=True),
}


@dataclass(frozen=True, slots=True)
class Spent:
    """On one Job, or two at once. others_s: processor time of Director and Storage Daemon."""

    wall_s: float
    cpu_s: float
    others_s: float
    beside: float = 0.0  # share of one processor that all other processes used


@dataclass(frozen=True, slots=True)
class Turn:
    save: Spent
    restore: Spent
    two: Spent | None
    stored: int


class Network:
    """One turn: a Director, a Storage Daemon and the File Daemon that is measured."""

    def __init__(self, bacula: Bacula, relay: Relay, client: int) -> None:
        self._bacula, self._relay, self.client = bacula, relay, client
        self._reports = 0

    def run(self, *commands: str) -> Spent:
        """Give the Director these commands, each of which starts a Job, and wait for the Jobs' end."""
        os.sync()
        have_memory(MEMORY_BYTES)
        others = [self._bacula.pid("dir"), self._bacula.pid("sd")]
        before, before_others = processor_s(self.client), processor_s(*others)
        with beside(self.client, *others) as strangers:
            said = self._bacula.console(*commands)
            try:
                spans = self._relay.jobs(len(commands), PATIENCE_S)
            except AssertionError as late:
                raise AssertionError(f"{late}: {said}\n{self._bacula.messages()}") from late
            self._reports += len(commands)
            self._wait_for_reports()
        wall = max(end for _, end in spans) - min(begin for begin, _ in spans)
        return Spent(wall, processor_s(self.client) - before, processor_s(*others) - before_others, strangers.share)

    def _wait_for_reports(self) -> None:
        """Until the Director has filled its catalog, too. Nothing but a good end will do."""
        end = time.monotonic() + PATIENCE_S
        while (messages := self._bacula.messages()).count("Termination:") < self._reports:
            assert time.monotonic() < end, messages
            time.sleep(0.05)  # a log file does not wake anybody
        good = messages.count("Backup OK") + messages.count("Restore OK")
        assert good == self._reports, messages


@contextmanager
def network(  # noqa: PLR0917  each is one of the parts that meet here
    root: Path, work: Work, tree: Path, contender: str, release: Release, job: str = ""
) -> Iterator[Network]:
    """job: directives of its Jobs."""
    with ExitStack() as stack:
        bacula = stack.enter_context(Bacula(root, release=release))
        bacula.write_confs(
            file_sets=f'FileSet {{ Name = All; Include {{ Options {{ {work.options} }} File = "{tree}" }} }}',
            jobs="".join(f"Job {{ Name = Save{n}; JobDefs = Common; FileSet = All; {job} }}\n" for n in (1, 2)),
            client=pki(root) if work.pki else "",
        )
        relay = stack.enter_context(Relay(bacula.ports["fd"]))
        conf = bacula.conf("dir")
        clear = "\n  TLS PSK Enable = no" if release.newer else ""
        conf.write_text(conf.read_text().replace(f"FDPort = {bacula.ports['fd']}", f"FDPort = {relay.port}{clear}"))
        bacula.make_catalog()
        bacula.start("sd", "dir")
        if contender == "filed":
            client = stack.enter_context(FiledDaemon(bacula)).process.pid
        else:
            bacula.start("fd")
            client = bacula.pid("fd")
        yield Network(bacula, relay, client)


def pki(root: Path) -> str:
    """Keys of a new key pair, as directives."""
    pair = root / "client.pem"
    key, certificate = root / "client.key", root / "client.crt"
    command = f"openssl req -x509 -newkey rsa:2048 -subj /CN=bench -days 2 -nodes -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    pair.write_bytes(key.read_bytes() + certificate.read_bytes())
    return f'PKI Signatures = yes\nPKI Encryption = yes\nPKI Keypair = "{pair}"\n'


def turn(root: Path, work: Work, tree: Path, contender: str, release: Release) -> Turn:
    root.mkdir()
    with network(root, work, tree, contender, release) as network_:
        warm(tree)
        save = network_.run("run job=Save1 level=Full yes")
        size = stored(root / "bacula" / "volumes")
        restore = network_.run("restore client=t-fd jobid=1 all done yes")
        assert datasets.size(root / "bacula" / "restored" / tree.relative_to("/")) == datasets.size(tree), contender
        two = None
        if work.two:
            warm(tree)
            two = network_.run("run job=Save1 level=Full yes", "run job=Save2 level=Full yes")
    return Turn(save, restore, two, size)


HEAD = (
    "| | save, s | cpu, s | others' cpu, s | stored, MB | restore, s | cpu, s | two at once, s | two / one |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
)


def table(name: str, turns: dict[str, list[Turn]]) -> list[str]:
    """What the turns of one work have in common."""
    lines = [f"#### {name}: {WORKS[name].options}{', signed and encrypted' if WORKS[name].pki else ''}", "", *HEAD]
    middle: dict[str, tuple[Spent, Spent]] = {}
    for contender, done in turns.items():
        save, restore = _median([one.save for one in done]), _median([one.restore for one in done])
        middle[contender] = save, restore
        twos = [one.two for one in done if one.two is not None]
        two_s = _median(twos).wall_s if twos else 0.0
        mark = " *" if max(one.beside for one in (save, restore)) > MUCH else ""
        two = f"{two_s:.2f} | {two_s / save.wall_s:.2f}" if twos else "|"
        lines.append(
            f"| {contender}{mark} | {spread([one.save.wall_s for one in done])} | {save.cpu_s:.2f} | {save.others_s:.2f} | {done[-1].stored / 1e6:,.1f} "
            f"| {spread([one.restore.wall_s for one in done])} | {restore.cpu_s:.2f} | {two} |"
        )
    if len(middle) > 1:
        faster = [
            (theirs.wall_s / ours.wall_s, theirs.cpu_s / ours.cpu_s)
            for ours, theirs in zip(middle["filed"], middle["bacula-fd"], strict=True)
        ]
        (save_wall, save_cpu), (restore_wall, restore_cpu) = faster
        lines.append(
            f"| times as fast | **{save_wall:.2f}** | {save_cpu:.2f} | | | **{restore_wall:.2f}** | {restore_cpu:.2f} | | |"
        )
        lines += ["", f"The bar is {WORKS[name].at_least} for saving and 1.0 for restoring."]
    return lines


def _median(parts: list[Spent]) -> Spent:
    """Each figure's own median; of what strangers used, the most."""
    return Spent(
        statistics.median(one.wall_s for one in parts),
        statistics.median(one.cpu_s for one in parts),
        statistics.median(one.others_s for one in parts),
        max(one.beside for one in parts),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp/filed-bench"), help="for trees and Volumes")
    parser.add_argument("--works", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--only", nargs="+", choices=["filed", "bacula-fd"], default=["filed", "bacula-fd"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--release", choices=[each.version for each in RELEASES], default=BACULA_9.version)
    args = parser.parse_args()
    release = next(each for each in RELEASES if each.version == args.release)
    report = [f"{machine()} Bacula {args.release}."]
    for name in args.works:
        work, turns = WORKS[name], defaultdict(list)
        tree = datasets.make(work.tree, args.directory)
        with tempfile.TemporaryDirectory(dir=args.directory) as scratch:
            os.environ["XDG_STATE_HOME"] = scratch  # what filed remembers of storages
            for number in range(args.rounds):
                for contender in args.only[:: 1 if number % 2 == 0 else -1]:  # who comes first may pay for the caches
                    root = Path(scratch, f"{contender}-{number}")
                    done = turn(root, work, tree, contender, release)
                    turns[contender].append(done)
                    print(f"  {name} {number + 1}/{args.rounds} {contender}: {done}", flush=True)
                    if datasets.size(tree)[0] < MANY_FILES:
                        shutil.rmtree(root)
        report += ["", *table(name, turns)]
    print("\n".join([*report, "", NOTE]))


if __name__ == "__main__":
    main()
