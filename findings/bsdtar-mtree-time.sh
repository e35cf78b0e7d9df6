#!/usr/bin/env bash
# In an mtree file "time=1577934245.5" is not half past the second, it is 5 nanoseconds past it.
#
# Versions: bsdtar 3.6.2 (Debian 3.6.2-1+deb12u5), mtree of NetBSD (Debian mtree-netbsd 20180822-7).
# Expected: time=1577934245.000000005. libarchive's mtree(5) and mtree's manual say only "the last modification time of the
#   file"; whatever else writes seconds with a point (stat, find -printf %T@, pax headers) writes a decimal number.
# Seen: both programs print seconds, a point and the nanoseconds as an integer without leading zeros, and read it that way.
#   A file of .5 s is written as ".500000000", so most times look like decimal numbers; those below 100 ms do not fit.
# Output:  ./five time=1577934245.5   ./half time=1577934245.500000000   ./tenth time=1577934245.50000000
# Why it matters: mtree files are the manifests of package builders and integrity checkers. A reader in another language that takes
#   the number for what it looks like is off by up to 0.9 s in one file of ten, and calls these changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb libarchive13 3.6.2-1+deb12u5
deb libarchive-tools 3.6.2-1+deb12u5
deb mtree-netbsd 20180822-7
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH

mkdir d
touch -d '2020-01-02 03:04:05.000000005Z' d/five
touch -d '2020-01-02 03:04:05.5Z' d/half
touch -d '2020-01-02 03:04:05.05Z' d/tenth
root/usr/bin/bsdtar --format=mtree --options='!all,time,type' -cf bsdtar.mtree -C d .
root/usr/bin/mtree -c -k time,type -p d >netbsd.mtree
grep -h -o '\(five\|half\|tenth\).*' bsdtar.mtree netbsd.mtree
for name in five:5 half:500000000 tenth:50000000; do
    for file in bsdtar.mtree netbsd.mtree; do
        grep -q "${name%:*}.*time=1577934245\.${name#*:}\( \|$\)" $file
    done
done
root/usr/bin/mtree -p d <netbsd.mtree   # it reads what it wrote
