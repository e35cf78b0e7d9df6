#!/usr/bin/env bash
# bsdtar and Python take the rest of a file in the last tape of a GNU multi-volume archive for the whole file.
#
# Versions: GNU tar 1.34 (Debian 1.34+dfsg-1.2+deb12u1), bsdtar 3.6.2 (Debian 3.6.2-1+deb12u5), Python 3.11's tarfile.
# Expected: an error. A member of type M is "a continuation of a file that began on another volume" (GNU tar's manual,
#   "Basic Tar Format"); GNU tar refuses to extract it alone. libarchive-formats(5) says that libarchive does not
#   support multi-volume archives.
# Seen: both extract it without a word: a file with the right name, the last 62 kB of 300 kB, mode 0000 and the time 1970.
#   bsdtar exits with 0. Both complain about the volumes before the last one only because these end in the middle of a file.
#   Extracting all volumes in their order leaves the file with its tail alone.
# Output:  bsd: 62976 bytes of 307200, mode 0;  python: 62976 bytes of 307200, mode 0
# Why it matters: old tapes are often copied to disk volume by volume, and whoever unpacks them with what is at hand
#   gets a file of the right name over the right one. A reader of tar must refuse types that it does not know.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb tar 1.34+dfsg-1.2+deb12u1
deb libarchive13 3.6.2-1+deb12u5
deb libarchive-tools 3.6.2-1+deb12u5
export LD_LIBRARY_PATH="$work/root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)"
tar=root/bin/tar

mkdir d
head -c 307200 /dev/urandom >d/big
$tar -cM -L 120 -f v1.tar -f v2.tar -f v3.tar d
[ ! -e v4.tar ]

if $tar -xf v3.tar 2>/dev/null; then echo "GNU tar takes it now" >&2; exit 1; fi
mkdir bsd python
root/usr/bin/bsdtar -xf v3.tar -C bsd
python3 -c '
import sys, tarfile
assert sys.version_info[:2] == (3, 11), f"seen with Python 3.11, this is {sys.version}"
tarfile.open("v3.tar").extractall("python")'
for reader in bsd python; do
    size=$(stat -c %s "$reader/d/big")
    echo "$reader: $size bytes of 307200, mode $(stat -c %a "$reader/d/big")"
    [ "$size" -gt 0 ] && [ "$size" -lt 307200 ]
    [ "$(stat -c %a "$reader/d/big")" = 0 ]
    chmod 600 "$reader/d/big"
    cmp "$reader/d/big" <(tail -c "$size" d/big)
done
