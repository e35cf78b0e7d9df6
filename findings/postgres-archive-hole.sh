#!/usr/bin/env bash
# PostgreSQL takes a hole in its WAL archive for the end: it restores, opens for writing, and has lost all behind the hole.
#
# Versions: PostgreSQL 15.20 (Debian 15.20-0+deb12u1).
# Expected: an error that names the missing segment while later ones are there. The manual, "Recovering Using a Continuous Archive
#   Backup": recovery "will proceed through all available WAL segments"; the failing restore_command at the end is normal.
# Seen: one segment is missing in the middle, the next ones are in the archive. The server promotes itself; the log says "archive recovery
#   complete" at the same level as always, and its one trace is the "redo done at" position. pg_ctl exits with 0. With
#   recovery_target_lsn at the end of the backup the same hole is "recovery ended before configured recovery target was reached".
# Output:  rows 1,2,3 of 1,2,3,4,5; in recovery: f
#          with a target: FATAL:  recovery ended before configured recovery target was reached
# Why it matters: only the backup program can know that segments are missing. It has to prove that each segment begins where the one
#   before it ended, when saving and before a restore, and to set a target always, also for "the latest".
set -euo pipefail
work=$(mktemp -d)
trap '[ -z "${running:-}" ] || as "$bin/pg_ctl" -D "$running" -m immediate -s stop || true; rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
for package in postgresql-15 postgresql-client-15 libpq5; do deb $package 15.20-0+deb12u1; done
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH HOME="$work" LC_ALL=C.UTF-8
bin=$work/root/usr/lib/postgresql/15/bin
mkdir socket archive
as() { "$@"; }
if [ "$(id -u)" = 0 ]; then   # the server refuses root
    as() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
    chmod 755 "$work"
    chown -R 65534:65534 "$work"
fi
start() { as "$bin/pg_ctl" -D "$1" -w -s -l "$1.log" start && running=$1; }
stop() { as "$bin/pg_ctl" -D "$running" -w -s stop && running=""; }
sql() { as "$bin/psql" -h "$work/socket" -U admin -qAt -c "$1" postgres; }
conf() { as tee -a "$1" >/dev/null; }

as "$bin/initdb" -D a -A trust -U admin -L "$work/root/usr/share/postgresql/15" --no-sync >/dev/null
conf a/postgresql.conf <<CONF
listen_addresses = ''
unix_socket_directories = '$work/socket'
archive_mode = on
archive_command = 'cp %p $work/archive/%f'
fsync = off
CONF
start a
as "$bin/pg_basebackup" -h "$work/socket" -U admin -D b -X fetch -c fast
sql "create table t (n int)"
for n in 1 2 3 4 5; do sql "insert into t values ($n); select pg_switch_wal()" >/dev/null; done
end=$(sql "select pg_current_wal_lsn()")
stop
mapfile -t segments < <(cd archive && ls | grep -v backup)
echo "missing: ${segments[-2]}, there: ${segments[-1]}"
rm "archive/${segments[-2]}"
rm b/pg_wal/0*
as touch b/recovery.signal
conf b/postgresql.auto.conf <<<"restore_command = 'cp $work/archive/%f %p'"$'\n'"archive_mode = off"
as cp -a b with_target
conf with_target/postgresql.auto.conf <<<"recovery_target_lsn = '$end'"

start b
for try in $(seq 100); do [ "$(sql 'select pg_is_in_recovery()')" = f ] && break; sleep 0.1; done
rows=$(sql "select string_agg(n::text, ',' order by n) from t")
echo "rows $rows of 1,2,3,4,5; in recovery: $(sql 'select pg_is_in_recovery()')"
[ "$rows" = 1,2,3 ] || [ "$rows" = 1,2 ]   # where in a segment a row lies varies
sql "insert into t values (99)"
stop
if grep -E 'WARNING|ERROR|FATAL|PANIC' b.log | grep -v 'due to administrator command'; then exit 1; fi
if start with_target 2>/dev/null; then
    for try in $(seq 100); do grep -q FATAL with_target.log && break; sleep 0.1; done
fi
running=""
grep 'FATAL:  recovery ended before configured recovery target was reached' with_target.log
