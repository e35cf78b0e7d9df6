#!/usr/bin/env bash
# borg brings a file of the year 2120 back as of January 2038, and one of 1960 as of 1970, without a warning.
#
# Versions: borg 1.2.4 (Debian 1.2.4-1), on a 64-bit system.
# Expected: the times of the files, which it keeps to the nanosecond, or a warning. No manual page of borg mentions 2038 or a lowest time.
# Seen: times are clamped to 0 ... 2147310847 seconds (17 January 2038, two days before 32 bits end) when a file is
#   saved, so that the truth is not in the archive either. Exit code 0, nothing said.
# Output:  far: 4733607845 -> 2147310847, old: -315619200 -> 0
# Why it matters: far dates are used as marks ("never", retention dates), and 1960s dates come from scanners and cameras. A
#   comparison of a restored tree by mtime reports these files for ever; a program that compares borg with another one finds "lost" times.
set -euo pipefail
work=$(mktemp -d -p /var/tmp)   # not all of tmpfs takes the year 2120
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb borgbackup 1.2.4-1
deb python3-msgpack 1.0.3-2+b1
deb python3-packaging 23.0-1
deb libxxhash0 0.8.1-1
export BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
export BORG_REPO="$work/repository" BORG_BASE_DIR="$work/base" LANG=C.UTF-8
borg() {
    PYTHONPATH="$work/root/usr/lib/python3/dist-packages" LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu) \
        /usr/bin/python3 "$work/root/usr/bin/borg" "$@"
}

mkdir d out
touch -d '2120-01-02 03:04:05Z' d/far
touch -d '1960-01-01 00:00:00Z' d/old
borg init -e none
borg create ::first d >log 2>&1
[ ! -s log ]
(cd out && borg extract ::first)
seen=""
for name in far old; do seen+="$name: $(stat -c %Y d/$name) -> $(stat -c %Y out/d/$name) "; done
echo "$seen"
[ "$seen" = "far: 4733607845 -> 2147310847 old: -315619200 -> 0 " ]
