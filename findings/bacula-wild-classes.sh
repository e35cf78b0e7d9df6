#!/usr/bin/env bash
# Wild cards of bacula-fd take [[:alpha:]] for something else: letters are kept, and names that end in "]" are left out.
#
# Versions: Bacula 9.6.7 (Debian 9.6.7-7): Director with SQLite and File Daemon. 15.0.3 was seen to know no classes either.
# Expected: the rules of fnmatch(3) and POSIX, with [:class:] within brackets. The manual, FileSet, "wild", speaks of wild-card strings without
#   rules of its own; the Regex directives of the same FileSet do know classes.
# Seen: bacula-fd brings an fnmatch of its own. The first "]" ends the set: "[[:alpha:]]" is one of "[", ":", "a", "l", "p", "h", and a
#   "]" behind it. The conf is accepted, nothing is said. "[[.a.]]" and "[[=a=]]" likewise.
# Output:  of *.[[:alpha:]]: f.a saved, f.] saved, f.a] left out, f.[] left out, f.z] saved
# Why it matters: an excluding pattern that never fires makes backups larger; one that fires elsewhere loses files. A client that takes the
#   place of bacula-fd has to be wrong in the same way: filed is (docs/formats/fileset.md).
set -euo pipefail
work=$(mktemp -d)
trap 'kill ${daemons:-} 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
for name in common common-sqlite3 director director-sqlite3 fd console; do deb bacula-$name 9.6.7-7; done
export LD_LIBRARY_PATH="$work/root/usr/lib/bacula" HOME="$work"
ln -sf libbaccats-sqlite3-9.6.7.so root/usr/lib/bacula/libbaccats-9.6.7.so
sbin=root/usr/sbin
mkdir -p etc run tree
touch 'tree/f.a' 'tree/f.]' 'tree/f.a]' 'tree/f.[]' 'tree/f.z]'
sed "s|XXX_DBNAME_XXX|catalog|g; s|/var/lib/bacula|$work/run|g" root/usr/share/bacula-director/make_sqlite3_tables | sh -s >/dev/null
read -r dir fd < <(python3 -c '
import socket
probes = [socket.socket() for _ in range(2)]
for probe in probes: probe.bind(("127.0.0.1", 0))
print(*(probe.getsockname()[1] for probe in probes))')
common() { echo "WorkingDirectory = $work/run; PidDirectory = $work/run; Maximum Concurrent Jobs = 5"; }
cat >etc/fd.conf <<CONF
FileDaemon { Name = t-fd; $(common); FDPort = $fd; FDAddress = 127.0.0.1 }
Director { Name = t-dir; Password = x }
Messages { Name = Standard; director = t-dir = all }
CONF
cat >etc/dir.conf <<CONF
Director { Name = t-dir; $(common); DirPort = $dir; DirAddress = 127.0.0.1; QueryFile = /dev/null; Password = x; Messages = Standard }
Catalog { Name = Catalog; dbname = catalog; dbuser = ""; dbpassword = "" }
Client { Name = t-fd; Address = 127.0.0.1; FDPort = $fd; Password = x; Catalog = Catalog }
Storage { Name = Disk; Address = 127.0.0.1; SDPort = 9; Password = x; Device = Disk; Media Type = File }
Pool { Name = Default; Pool Type = Backup; Label Format = Auto- }
FileSet { Name = Tree; Include { Options { wildfile = "*.[[:alpha:]]"; exclude = yes }
    File = $work/tree } }
Job { Name = Save; Type = Backup; Level = Full; Client = t-fd; FileSet = Tree; Storage = Disk; Pool = Default; Messages = Standard }
Messages { Name = Standard; append = $work/messages = all, !skipped; console = all, !skipped }
CONF
echo "Director { Name = t-dir; DIRport = $dir; Address = 127.0.0.1; Password = x }" >etc/console.conf
for one in fd dir; do $sbin/bacula-$one -f -c etc/$one.conf >run/$one.log 2>&1 & daemons="${daemons:-} $!"; done
for port in $fd $dir; do
    for try in $(seq 300); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done
done
console=root/usr/sbin/bconsole

echo 'estimate job=Save listing' | $console -c etc/console.conf >log
grep -o 'tree/f.*' log | sed 's/ *$//' >listed
for name in 'f.a' 'f.]' 'f.a]' 'f.[]' 'f.z]'; do
    if grep -q -x -F "tree/$name" listed; then echo "$name saved"; else echo "$name left out"; fi
done | tee seen
printf '%s\n' 'f.a saved' 'f.] saved' 'f.a] left out' 'f.[] left out' 'f.z] saved' | diff - seen
