#!/usr/bin/env bash
# sqlite3 writes archives with symbolic links that it cannot extract: it stops at the first link and exits with 0.
#
# Versions: sqlite3 3.40.1 (Debian 3.40.1-2+deb12u2).
# Expected: sqlite3 -Ax brings back what -Ac took. The documentation of SQLite archives says that sz is -1 for a symbolic link
#   and that data holds its target; -At lists the link.
# Seen: "SQL error: error in uncompress()" at the link; the link and everything behind it is missing, the exit code is 0. In the
#   table the link is right (sz -1, data is the target): a program that does not uncompress where sz is negative reads all of it.
# Output:  SQL error: error in uncompress(); exit 0; extracted: out/tree
# Why it matters: sqlite3 -A looks like a small, safe format for a backup. Before an archive is trusted, list what came out of a
#   restore; an exit code of 0 says nothing here.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb sqlite3 3.40.1-2+deb12u2
deb libsqlite3-0 3.40.1-2+deb12u2
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
sqlite=$work/root/usr/bin/sqlite3

mkdir tree
ln -s a tree/link
$sqlite links.sqlar -Ac tree
mkdir plain
echo a >plain/a
$sqlite plain.sqlar -Ac plain
[ "$($sqlite links.sqlar "select sz, data from sqlar where name = 'tree/link'")" = "-1|a" ]

mkdir out
(cd out && $sqlite ../plain.sqlar -Ax && cmp plain/a ../plain/a)
code=0
(cd out && $sqlite ../links.sqlar -Ax 2>../errors) || code=$?
echo "$(cat errors); exit $code; extracted:" out/tree*
grep -q 'error in uncompress' errors
[ $code = 0 ]
[ ! -L out/tree/link ]
