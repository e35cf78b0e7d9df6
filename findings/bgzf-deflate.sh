#!/usr/bin/env bash
# deflate.gzip_decompress() gives b"" for a good gzip file of bgzip, without an error.
#
# Versions: deflate 0.9.0 (libdeflate's binding), bgzip of htslib 1.16 (Debian tabix 1.16+ds-3).
# Expected: the content, or an error. RFC 1952, 2.2: a gzip file is one member or more, one behind the other. libdeflate's own
#   gunzip program, gzip and Python's gzip read all members. deflate's page shows gzip_decompress(data) as the whole story.
# Seen: the size of the result is taken from the last four bytes of the input, and the first member only is expanded. bgzip ends
#   its files with an empty member, so the result is b"". For two members of one size it is the first one. No error in either case.
# Output:  bgzip's file: 0 bytes of 200000; two members of 4 bytes: "one"
# Why it matters: bgzip, appended logs and files joined with cat have several members. Use deflate for streams of our own whose
#   size is known, and for gzip files of others a reader that says how much input it used (zlib's decompressobj, isal, zlib-ng).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb tabix 1.16+ds-3
deb libhts3 1.16+ds-3
deb libhtscodecs2 1.3.0-4
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check deflate==0.9.0

head -c 200000 /dev/urandom >data
LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu) root/usr/bin/bgzip -k data
gzip -dc data.gz | cmp - data
venv/bin/python - <<'PY'
import gzip
import deflate
packed = open("data.gz", "rb").read()
assert len(gzip.decompress(packed)) == 200_000
ours = deflate.gzip_decompress(packed)
two = deflate.gzip_decompress(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
print("bgzip's file:", len(ours), "bytes of 200000; two members:", bytes(two))
assert (ours, two) == (b"", b"one\n")
PY
