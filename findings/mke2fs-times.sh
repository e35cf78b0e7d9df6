#!/usr/bin/env bash
# mke2fs -d drops the fractions of all times and turns 2120 into 1983, in a file system that can hold both.
#
# Versions: e2fsprogs 1.47.0 (Debian 1.47.0-2+b2).
# Expected: the times of the directory that is copied. mke2fs(8): -d "Copy the contents of the given directory into the root directory
#   of the file system". ext4's inodes of 256 bytes, the default, have nanoseconds and last until 2446.
# Seen: owners, modes, attributes, ACLs, hard links and holes are copied; of each time only the lower 32 bits of the seconds.
#   The extra field of the inode is zero: no nanoseconds and no epoch bits. No warning.
# Output:  mtime: 0x5e0d5da5:00000000 -- Thu Jan  2 03:04:05 2020
#          mtime: 0x1a251fa5:00000000 -- Fri Nov 25 20:35:49 1983
# Why it matters: images of root file systems are built this way, then restored over or compared with the original. Every file then
#   differs by less than a second, so compare such trees by whole seconds or by content.
set -euo pipefail
work=$(mktemp -d -p /var/tmp)   # not all of tmpfs takes the year 2120
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb e2fsprogs 1.47.0-2+b2
deb libext2fs2 1.47.0-2+b2
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu):$(echo "$work"/root/lib/*-linux-gnu)
export LD_LIBRARY_PATH

mkdir tree
touch -d '2020-01-02 03:04:05.9Z' tree/fraction
touch -d '2120-01-02 03:04:05Z' tree/far
[ "$(stat -c %Y tree/far)" = 4733607845 ]
truncate -s 8M image
root/sbin/mke2fs -q -t ext4 -I 256 -d tree image
for name in fraction:1577934245 far:$((4733607845 - 4294967296)); do
    root/sbin/debugfs -R "stat /${name%:*}" image 2>/dev/null | grep ' mtime:' | tee line
    grep -q "$(printf '0x%08x:00000000' "${name#*:}")" line
done
