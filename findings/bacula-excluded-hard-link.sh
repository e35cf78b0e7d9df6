#!/usr/bin/env bash
# bacula-fd saves a file without its data, with "Backup OK", when the hard link it met first is excluded.
#
# Versions: Bacula 9.6.7 (Debian 9.6.7-7): Director with SQLite, Storage Daemon, File Daemon. 15.0.3 was seen to do the same.
# Expected: 2/x.keep with its content. The manual, FileSet, "hardlinks": hard linked files are saved once, the other names as links;
#   "exclude": files that match are not backed up, and no other file is said to be touched by that.
# Seen: the first name is noted before the Options are looked at. 1/x.skip is left out, 2/x.keep is stored as a link to it. The
#   Job ends with "Backup OK", no warning. In a restore there is nothing to link to: the file is missing.
# Output:  Termination: Backup OK; restore: Could not hard link .../2/x.keep -> .../1/x.skip, Termination: *** Restore Error ***
# Why it matters: "*.tmp", "*.bak" or a cache folder with links into it is enough to lose files. filed filters before it looks for
#   links, so that the first name that is saved has the data (docs/formats/fileset.md); Volumes of real clients may lack it.
set -euo pipefail
work=$(mktemp -d)
trap 'kill ${daemons:-} 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
for name in common common-sqlite3 director director-sqlite3 sd fd console; do deb bacula-$name 9.6.7-7; done
export LD_LIBRARY_PATH="$work/root/usr/lib/bacula" HOME="$work"
ln -sf libbaccats-sqlite3-9.6.7.so root/usr/lib/bacula/libbaccats-9.6.7.so
sbin=root/usr/sbin
mkdir -p etc run volumes restored tree/1 tree/2
echo content >tree/1/x.skip
ln tree/1/x.skip tree/2/x.keep
sed "s|XXX_DBNAME_XXX|catalog|g; s|/var/lib/bacula|$work/run|g" root/usr/share/bacula-director/make_sqlite3_tables | sh -s >/dev/null
read -r dir sd fd < <(python3 -c '
import socket
probes = [socket.socket() for _ in range(3)]
for probe in probes: probe.bind(("127.0.0.1", 0))
print(*(probe.getsockname()[1] for probe in probes))')
common() { echo "WorkingDirectory = $work/run; PidDirectory = $work/run; Maximum Concurrent Jobs = 5"; }
cat >etc/sd.conf <<CONF
Storage { Name = t-sd; $(common); SDPort = $sd; SDAddress = 127.0.0.1 }
Director { Name = t-dir; Password = x }
Device { Name = Disk; Media Type = File; Archive Device = $work/volumes; LabelMedia = yes; Random Access = yes
    AutomaticMount = yes; RemovableMedia = no; AlwaysOpen = no }
Messages { Name = Standard; director = t-dir = all }
CONF
cat >etc/fd.conf <<CONF
FileDaemon { Name = t-fd; $(common); FDPort = $fd; FDAddress = 127.0.0.1 }
Director { Name = t-dir; Password = x }
Messages { Name = Standard; director = t-dir = all }
CONF
cat >etc/dir.conf <<CONF
Director { Name = t-dir; $(common); DirPort = $dir; DirAddress = 127.0.0.1; QueryFile = /dev/null; Password = x; Messages = Standard }
Catalog { Name = Catalog; dbname = catalog; dbuser = ""; dbpassword = "" }
Client { Name = t-fd; Address = 127.0.0.1; FDPort = $fd; Password = x; Catalog = Catalog }
Storage { Name = Disk; Address = 127.0.0.1; SDPort = $sd; Password = x; Device = Disk; Media Type = File }
Pool { Name = Default; Pool Type = Backup; Label Format = Auto- }
FileSet { Name = Tree; Include { Options { wildfile = "*.skip"; exclude = yes }
    File = $work/tree/1
    File = $work/tree/2 } }
JobDefs { Name = Common; Type = Backup; Level = Full; Client = t-fd; FileSet = Tree; Storage = Disk; Pool = Default; Messages = Standard }
Job { Name = Save; JobDefs = Common }
Job { Name = Restore; JobDefs = Common; Type = Restore; Where = $work/restored }
Messages { Name = Standard; append = $work/messages = all, !skipped; console = all, !skipped }
CONF
echo "Director { Name = t-dir; DIRport = $dir; Address = 127.0.0.1; Password = x }" >etc/console.conf
for one in sd fd dir; do $sbin/bacula-$one -f -c etc/$one.conf >run/$one.log 2>&1 & daemons="${daemons:-} $!"; done
for port in $sd $fd $dir; do
    for try in $(seq 300); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done
done
console=root/usr/sbin/bconsole

printf 'run job=Save yes\nwait\nrestore client=t-fd select current all done yes\nwait\nmessages\n' | $console -c etc/console.conf >log
grep -E 'Termination:|hard link' log messages
grep -q 'Termination:.*Backup OK$' messages
if grep -i 'warning' <(sed '/Termination/q' messages); then exit 1; fi
find restored -type f -printf 'restored: %P\n'
[ -z "$(find restored -name x.keep)" ]
grep -q 'ould not hard link' messages
