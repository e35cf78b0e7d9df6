#!/usr/bin/env bash
# One object with // in its key makes obstore's listing of the whole bucket fail; "folders" are listed and cannot be read.
#
# Versions: obstore 0.12.1, boto3 1.44.8 as the other writer, moto 5.2.5 as the server.
# Expected: all keys. S3's user guide, "Object key names": a key is any UTF-8 text of up to 1024 bytes. obstore's page of list():
#   "List all the objects with the given prefix", without a restriction of keys.
# Seen: a key that has an empty segment, "." or ".." between slashes raises InvalidPathError out of the iteration, and what comes behind it
#   in the listing is never seen. "/lead" and "folder/" (which the web consoles of S3 make for a new folder) come as "lead" and
#   "folder"; get() with these names says that there is no such object.
# Output:  with a//b: InvalidPathError after 0 names; with folder/: lists folder, get FileNotFoundError
# Why it matters: a bucket is shared: a user makes a folder in the console, another program writes "logs//today", and
#   a backup repository in it can be listed no more, so neither pruned nor checked. List below a prefix of one's own, and treat a
#   listed name that cannot be read as foreign.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check obstore==0.12.1 boto3==1.44.8 moto==5.2.5 flask==3.1.3 flask-cors==6.0.5 pyyaml==6.0.4

venv/bin/python - 2>errors <<'PY' || { cat errors; exit 1; }
import socket
import boto3, obstore
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
server.start()
url = f"http://127.0.0.1:{port}"
s3 = boto3.client("s3", endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")

def listing(bucket, *keys):
    s3.create_bucket(Bucket=bucket)
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    store = S3Store(bucket, endpoint=url, region="us-east-1", access_key_id="a", secret_access_key="b",
                    client_options={"allow_http": True})
    names = []
    try:
        for page in obstore.list(store):
            names += [entry["path"] for entry in page]
    except obstore.exceptions.BaseError as error:
        return store, names, type(error).__name__
    return store, names, None

for key in "a//b", "a/./b", "a/../b":
    _, names, error = listing(f"bucket-{abs(hash(key)) % 10**9}", key, "repository/pack-1")
    print(key, "->", names, error)
    assert (names, error) == ([], "InvalidPathError")
store, names, error = listing("folders", "folder/", "/lead", "plain")
print(names)
assert (sorted(names), error) == (["folder", "lead", "plain"], None)
for name in "folder", "lead":
    try:
        obstore.get(store, name)
    except FileNotFoundError:
        print("get", name, "FileNotFoundError")
    else:
        raise SystemExit("it can be read now")
server.stop()
PY
