#!/usr/bin/env bash
# An ACL of a user whose name is a number comes back for another user: getfacl writes the name, setfacl reads an id.
#
# Versions: acl 2.3.1 (Debian 2.3.1-3), GNU tar 1.34 (Debian 1.34+dfsg-1.2+deb12u1).
# Expected: what getfacl wrote and setfacl --restore read is the same user. acl(5): "a user identifier can be a user name or a user ID
#   number in decimal form", and does not say which comes first; chown(1) by POSIX takes a name first, then a number.
# Seen: libacl takes digits for an id without asking whether somebody has that name. User "1001" with the id 5005 becomes the id
#   1001. The same in tar --acls, which stores the text of the ACL, although tar looks owners up by name first.
#   getfacl --numeric is right on both ways.
# Output:  before user:5005:rw-, dump user:1001:rw-, after setfacl --restore user:1001:rw-, after tar --acls user:1001:rw-
# Why it matters: directories of schools and companies do have such names (LDAP, winbind). Bacula's ACL streams hold this text as well,
#   so a restore must read digits as libacl does, and whoever writes the text for machines should write ids.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb acl 2.3.1-3
deb tar 1.34+dfsg-1.2+deb12u1
deb libnss-wrapper 1.1.12-1

echo '1001:x:5005:5005::/:/bin/sh' >passwd   # a user database of this test alone
echo '1001:x:5005:' >group
directory() { env LD_PRELOAD="$(echo "$work"/root/usr/lib/*/libnss_wrapper.so)" NSS_WRAPPER_PASSWD="$work/passwd" \
    NSS_WRAPPER_GROUP="$work/group" "$@"; }
named() { root/bin/getfacl -n "$1" 2>/dev/null | grep '^user:[0-9]'; }
bin=root/bin
mkdir out
echo data >f
$bin/setfacl -m u:5005:rw f
echo "before $(named f)"
[ "$(named f)" = user:5005:rw- ]
directory $bin/getfacl f >dump
directory root/bin/tar --acls -cf f.tar f
grep 'user:1001' dump
$bin/setfacl -b f
directory $bin/setfacl --restore=dump
directory root/bin/tar --acls -xf f.tar -C out
echo "after $(named f), tar $(named out/f)"
[ "$(named f)" = user:1001:rw- ]
[ "$(named out/f)" = user:1001:rw- ]
