#!/usr/bin/env bash
# fsck.erofs --extract leaves extended attributes, ACLs and hard links behind, though the image has them.
#
# Versions: erofs-utils 1.5 (Debian 1.5-1).
# Expected: the tree from which mkfs.erofs made the image. The program's help: --preserve, the default for root, is to "extract with the same
#   ownership and permissions as on the filesystem"; nothing says what is dropped.
# Seen: content, modes, owners and nanoseconds are right; no attribute, no ACL, no file capability comes out, and the
#   names of a hard link are files of their own. Holes are written as zeros. Exit code 0, no warning.
# Output:  image: Links: 2, Xattr size: 28; extracted: links 1 attributes []
# Why it matters: erofs images are used as read-only archives of systems; ping or a web server started from an extracted
#   tree lacks its capability. Mount the image (kernel 5.4 and later) and copy with cp -a or tar --xattrs instead.
set -euo pipefail
work=$(mktemp -d -p /var/tmp)   # tmpfs has no user attributes before Linux 6.6
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb erofs-utils 1.5-1

mkdir tree
echo data >tree/name1
ln tree/name1 tree/name2
python3 -c 'import os; os.setxattr("tree/name1", "user.kept", b"value")'
root/usr/bin/mkfs.erofs image tree >/dev/null 2>&1
grep -q 'value' image   # the attribute is in there
root/usr/bin/dump.erofs --path=/name1 image 2>/dev/null | tee facts
grep -q 'Links: 2' facts
root/usr/bin/fsck.erofs --extract=out --preserve image >/dev/null 2>&1
cmp tree/name1 out/name1
python3 - <<'PY'
import os
links, attributes = os.stat("out/name1").st_nlink, os.listxattr("out/name1")
print("extracted: links", links, "attributes", attributes)
assert (links, attributes) == (1, [])
PY
