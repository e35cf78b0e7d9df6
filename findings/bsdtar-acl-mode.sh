#!/usr/bin/env bash
# bsdtar stores another mode than the file's own where the file has an ACL, also in an mtree manifest without ACLs.
#
# Versions: bsdtar 3.6.2 (Debian 3.6.2-1+deb12u5), mtree of NetBSD (Debian mtree-netbsd 20180822-7), GNU tar 1.34.
# Expected: mode=0664, which stat says. acl(5), "Correspondence between ACL entries and file permission bits": with a mask
#   entry the group bits of the mode are the mask's. bsdtar's manual and libarchive's mtree(5): "the current file's permissions".
# Seen: libarchive reads the ACL and puts the owning group's entry in the place of the mask: mode 0644 in tar headers and in mtree,
#   where no ACL is written beside it. mtree on the untouched tree then reports the file as changed. GNU tar stores 0664.
# Output:  bsdtar: mode=644;  mtree: f: permissions (0644, 0664)
# Why it matters: two archives of one tree differ in modes by program. A checker that compares modes needs the ACL, too; and
#   an extraction without ACLs gives the group other rights than one of GNU tar's archive (fewer here).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb libarchive13 3.6.2-1+deb12u5
deb libarchive-tools 3.6.2-1+deb12u5
deb mtree-netbsd 20180822-7
deb acl 2.3.1-3
deb tar 1.34+dfsg-1.2+deb12u1
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH

mkdir d
echo data >d/f
chmod 644 d/f
root/bin/setfacl -m u:1234:rw d/f
[ "$(stat -c %a d/f)" = 664 ]
root/usr/bin/bsdtar --format=mtree --options='!all,mode,type' -cf d.mtree -C d .
grep './f' d.mtree | tee line
grep -q 'mode=644' line
if root/usr/bin/mtree -p d <d.mtree >report; then exit 1; fi
cat report
grep -q '0644, 0664' report
root/usr/bin/bsdtar -cf bsd.tar -C d f
root/bin/tar -cf gnu.tar -C d f
python3 - <<'PY'
import tarfile
modes = {name: oct(tarfile.open(f"{name}.tar").getmember("f").mode) for name in ("bsd", "gnu")}
print(modes)
assert modes == {"bsd": "0o644", "gnu": "0o664"}
PY
