#!/usr/bin/env bash
# boto3 sends a CRC-32 with each object, and checks it on download only for objects below 8 MiB.
#
# Versions: boto3 1.44.8 (s3transfer 0.19.3), against moto 5.2.5 with one bit turned over in its store.
# Expected: an error for both sizes. boto3's configuration guide: response_checksum_validation is "when_supported" by default,
#   checksums are validated where the service sends them. download_file's page says nothing of sizes.
# Seen: from multipart_threshold (8 MiB) on, upload_file stores a checksum of the parts' checksums; download_file then reads by
#   ranges, whose answers have no checksum, and get_object skips one that ends in "-2" (type COMPOSITE; moto sends it as S3 does).
#   A flipped bit arrives without an error; in a smaller object it raises FlexibleChecksumError.
# Output:  1 MiB download_file FlexibleChecksumError, get_object FlexibleChecksumError; 12 MiB download_file ok, get_object ok
# Why it matters: the objects of a backup are large. "The client verifies a CRC" holds for the small ones one tests with; a repository
#   needs digests of its own, checked at each read.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check boto3==1.44.8 s3transfer==0.19.3 moto==5.2.5 flask==3.1.3 flask-cors==6.0.5 pyyaml==6.0.4

venv/bin/python - 2>/dev/null <<'PY'
import os, socket
import boto3
from botocore.exceptions import FlexibleChecksumError
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
server.start()
s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id="a", aws_secret_access_key="b",
                  region_name="us-east-1")
s3.create_bucket(Bucket="bucket")
seen = {}
for size in 1, 12:
    key = f"{size} MiB"
    with open("file", "wb") as file:
        file.write(os.urandom(size << 20))
    s3.upload_file("file", "bucket", key)
    for backend in (regions["aws"] for regions in s3_backends.values()):   # one bit of the stored object
        stored = backend.buckets["bucket"].keys[key]._value_buffer
        stored.seek(1000)
        bit = bytes([stored.read(1)[0] ^ 1])
        stored.seek(1000)
        stored.write(bit)
    assert s3.head_object(Bucket="bucket", Key=key, ChecksumMode="ENABLED")["ChecksumCRC32"]
    for call in "download_file", "get_object":
        try:
            if call == "download_file":
                s3.download_file("bucket", key, "back")
            else:
                s3.get_object(Bucket="bucket", Key=key)["Body"].read()
            seen[key, call] = "ok"
        except FlexibleChecksumError:
            seen[key, call] = "FlexibleChecksumError"
        print(key, call, seen[key, call])
server.stop()
assert list(seen.values()) == ["FlexibleChecksumError"] * 2 + ["ok"] * 2
PY
