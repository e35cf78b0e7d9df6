#!/usr/bin/env bash
# Of a file of pzstd, half of python-zstandard's ways to read give nothing at all, and no error.
#
# Versions: pzstd 1.5.4 (Debian zstd 1.5.4+dfsg2-5+deb12u1), zstandard 0.25.0, backports.zstd 1.8.0 (Python 3.14's own).
# Expected: the content. RFC 8878, 3: compressed data is one or more frames, and skippable frames are among them. The docstring of
#   read_to_iter() speaks of "the decompressed result" and of no frames.
# Seen: pzstd begins each of its frames with a skippable frame (its length, for parallel reading). read_to_iter() and
#   decompressobj() end behind the first frame of either kind, so they yield 0 bytes. decompress() raises an error that names
#   a size of 4, which is that of the skippable frame. stream_reader() and copy_stream() give everything, also with
#   read_across_frames=False, whose documentation says that reading stops at a frame's end (only one read() does).
# Output:  read_to_iter 0, decompressobj 0, stream_reader 600000, copy_stream 600000, backports.zstd 600000
# Why it matters: whoever takes the iterator for its flat memory restores empty files from a valid archive. Compare the size with
#   what is known, or read frame by frame until the input ends.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
deb() { apt-get -o APT::Sandbox::User=root download -qq "$1=$2" && dpkg -x "$1"_*.deb root; }
deb zstd 1.5.4+dfsg2-5+deb12u1
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check zstandard==0.25.0 backports.zstd==1.8.0

head -c 600000 /dev/urandom >data
root/usr/bin/pzstd -q -k data -o data.zst
root/usr/bin/zstd -q -dc data.zst | cmp - data
venv/bin/python - <<'PY'
import io
import zstandard
from backports import zstd
packed, size = open("data.zst", "rb").read(), 600_000
expand = zstandard.ZstdDecompressor
copied = io.BytesIO()
expand().copy_stream(io.BytesIO(packed), copied)
seen = {
    "read_to_iter": sum(map(len, expand().read_to_iter(packed))),
    "decompressobj": len(expand().decompressobj().decompress(packed)),
    "stream_reader": len(expand().stream_reader(packed, read_across_frames=False).read()),
    "copy_stream": len(copied.getvalue()),
    "backports.zstd": len(zstd.decompress(packed)),
}
print(seen)
try:
    zstandard.decompress(packed)
except zstandard.ZstdError as error:
    print("decompress:", error)
else:
    raise SystemExit("decompress() takes it now")
assert seen == dict(read_to_iter=0, decompressobj=0, stream_reader=size, copy_stream=size, **{"backports.zstd": size})
PY
