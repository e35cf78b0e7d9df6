#!/usr/bin/env bash
# The tar that "restic dump" writes has a plain empty file for each FIFO, no hard links, and times up to half a second later.
#
# Versions: restic 0.14.0 (Debian 0.14.0-1+b5).
# Expected: what "restic restore" brings back. restic-dump(1): folders "are output as a tar (default) or zip file containing the
#   contents of the specified folder", "/" is the whole snapshot.
# Seen: a FIFO has type 0, a regular file of size 0. The second name of a hard link is a file of its own, with the data once more.
#   A time of .9 s is rounded up to the next second, so that a file just saved comes back from the future. Extended attributes
#   are there. Exit code 0, no warning. "restic restore" has all of it right.
# Output:  fifo type b'0', name1 type b'0' mtime 1577934246, name2 type b'0' mtime 1577934246
# Why it matters: dump to tar looks like the quick way from one backup program to another, or to a machine without restic. Opened by
#   a daemon, the file in the place of its FIFO fills up. A rounded time makes every file look changed to the next program.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb restic 0.14.0-1+b5
export RESTIC_PASSWORD=x RESTIC_REPOSITORY="$work/repository" XDG_CACHE_HOME="$work/cache"
restic=$work/root/usr/bin/restic

mkdir tree
mkfifo tree/fifo
echo data >tree/name1
ln tree/name1 tree/name2
touch -d '2020-01-02 03:04:05.9Z' tree/name1
$restic init -q
(cd tree && $restic backup -q .)
$restic dump latest / >dump.tar
python3 - <<'PY'
import tarfile
seen = {m.name.strip("./"): m for m in tarfile.open("dump.tar")}
for m in seen.values():
    print(m.name, "type", m.type, "mtime", m.mtime)
assert seen["fifo"].isreg() and seen["fifo"].size == 0
assert seen["name1"].isreg() and seen["name2"].isreg()
assert seen["name1"].mtime == 1577934246
PY
$restic restore -q latest --target restored
[ -p restored/fifo ]
[ "$(stat -c '%h %.1Y' restored/name1)" = '2 1577934245.9' ]
