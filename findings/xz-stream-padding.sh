#!/usr/bin/env bash
# Python's lzma drops everything behind the padding between two .xz streams, without an error.
#
# Versions: Python 3.11's lzma, xz 5.4.1 (Debian 5.4.1-1+deb12u2) as writer and judge.
# Expected: all of it. "The .xz File Format" 1.1.0, section 2.2: between and behind the streams of a file there may be
#   padding, zero bytes in multiples of four; decoders that take several streams must take the padding. lzma.decompress's documentation: of several
#   concatenated streams it decompresses all.
# Seen: streams that follow each other directly are all read. With four zero bytes between them lzma.open() and
#   lzma.decompress() give the first stream and stop: the padding is taken for garbage behind the end. What is built upon
#   lzma.open does the same (tarfile's r:xz, fsspec's compression="xz"). xz, 7-Zip and libarchive read all of it.
# Output:  xz: 13 bytes; lzma.open: b'first\n'; lzma.decompress: b'first\n'
# Why it matters: padding is there for media with fixed blocks, such as tapes, where files are appended to each other. Half a
#   backup that decompresses without an error is the worst kind.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb xz-utils 5.4.1-1+deb12u2
xz=root/usr/bin/xz

{ echo first | $xz; head -c 4 /dev/zero; echo second | $xz; } >padded.xz
{ echo first | $xz; echo second | $xz; } >joined.xz
$xz --test padded.xz
[ "$($xz -dc padded.xz | wc -c)" = 13 ]
python3 -c '
import lzma, sys
assert sys.version_info[:2] == (3, 11), f"seen with Python 3.11, this is {sys.version}"
assert lzma.open("joined.xz").read() == b"first\nsecond\n"
opened = lzma.open("padded.xz").read()
whole = lzma.decompress(open("padded.xz", "rb").read())
print("lzma.open:", opened, "lzma.decompress:", whole)
assert opened == whole == b"first\n"'
