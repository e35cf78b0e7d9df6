#!/usr/bin/env bash
# An incremental archive of GNU tar has other file names when Python's tarfile or 7-Zip reads it.
#
# Versions: GNU tar 1.34 (Debian 1.34+dfsg-1.2+deb12u1), Python 3.11's tarfile and backports.tarfile 1.2.0 (the one of
#   Python 3.12), 7-Zip 26.02 (Debian 22.01+really26.02+dfsg-0+deb12u1).
# Expected: d/new is listed as d/new. tarfile's documentation says that it reads the GNU format; GNU tar's manual, chapter
#   "Basic Tar Format", says that the old GNU header keeps the access and change times at offsets 345 and 357.
# Seen: --listed-incremental fills those two fields, and other readers take offset 345 for ustar's "prefix". The
#   access time, an octal number, becomes a directory in front of every name. To tarfile a directory (type D) is, besides,
#   no directory, so that extractall() fails; 7-Zip extracts into the wrong place and exits with 0. GNU tar
#   and bsdtar are right. A full archive without --listed-incremental does not have those fields, so a trial misses it.
# Output:  tarfile: 15303326571/d/ dir=False, 15303326571/d/new dir=False
#          7-Zip: ./15303326571/d/new
# Why it matters: incrementals are written for years before one is restored on a machine that has no GNU tar. A program that
#   reads foreign tar files must look at the magic ("ustar  " is GNU's) before it joins prefix and name.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb tar 1.34+dfsg-1.2+deb12u1
deb 7zip 22.01+really26.02+dfsg-0+deb12u1
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check backports.tarfile==1.2.0
tar=root/bin/tar

mkdir d
echo old >d/old
$tar -g snapshot -cf full.tar d
echo new >d/new
$tar -g snapshot -cf incremental.tar d

$tar -tf incremental.tar | grep -qx d/new
cat >read.py <<'PY'
import sys
if sys.argv[1] == "stdlib":
    assert sys.version_info[:2] == (3, 11), f"seen with Python 3.11, this is {sys.version}"
    import tarfile
else:
    from backports import tarfile
members = list(tarfile.open("incremental.tar"))
print("tarfile:", ", ".join(f"{m.name} dir={m.isdir()}" for m in members))
directory, new = members
assert new.name.endswith("/d/new") and new.name.split("/")[0].isdigit(), new.name
assert not directory.isdir()
PY
venv/bin/python read.py stdlib
venv/bin/python read.py backport
mkdir out
root/usr/bin/7zz x -oout incremental.tar >/dev/null
found=$(cd out && find . -type f)
echo "7-Zip: $found"
[[ $found =~ ^\./[0-7]+/d/new$ ]]
