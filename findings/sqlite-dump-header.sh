#!/usr/bin/env bash
# SQLite's dumps lose user_version, application_id and the text encoding; VACUUM INTO and .backup keep them.
#
# Versions: sqlite3 3.40.1 (Debian 3.40.1-2+deb12u2), Python 3.11's sqlite3.iterdump.
# Expected: the same database. The command line's documentation: ".dump" converts "the entire contents of a database into a single
#   UTF-8 text file" that "can be converted back into a database"; Python's: iterdump() saves a database "for later restoration".
# Seen: tables and rows come back, the numbers in the header do not: user_version 7 and application_id are 0, a UTF-16 database
#   becomes UTF-8. Neither of them says so.
# Output:  .dump 0 0 UTF-8; iterdump 0 0 UTF-8; vacuum into 7 1196444487 UTF-16le; .backup 7 1196444487 UTF-16le
# Why it matters: user_version is where most programs keep the number of their schema: restored from a dump they run every
#   migration again. By application_id a GeoPackage is one, and no longer after a dump. Back a SQLite file up as a file
#   (VACUUM INTO, the backup API).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb sqlite3 3.40.1-2+deb12u2
deb libsqlite3-0 3.40.1-2+deb12u2
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu)
sqlite() { LD_LIBRARY_PATH=$LD_LIBRARY_PATH root/usr/bin/sqlite3 "$@"; }

sqlite a.db "pragma encoding='UTF-16le'; pragma user_version=7; pragma application_id=0x47504b47;
    create table t(x); insert into t values('row')"
sqlite a.db .dump | sqlite dump.db
python3 -c '
import sqlite3
sqlite3.connect("iterdump.db").executescript("\n".join(sqlite3.connect("a.db").iterdump()))'
sqlite a.db "vacuum into 'vacuum.db'"
sqlite a.db ".backup backup.db"
header() { sqlite "$1.db" 'select x from t; pragma user_version; pragma application_id; pragma encoding' | tr '\n' ' '; }
for way in dump iterdump; do
    echo "$way $(header $way)"
    [ "$(header $way)" = "row 0 0 UTF-8 " ]
done
for way in vacuum backup; do
    echo "$way $(header $way)"
    [ "$(header $way)" = "row 7 1196444487 UTF-16le " ]
done
