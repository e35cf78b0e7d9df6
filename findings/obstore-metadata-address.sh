#!/usr/bin/env bash
# obstore without credentials asks the cloud's metadata service, also when AWS_EC2_METADATA_DISABLED=true forbids it.
#
# Versions: obstore 0.12.1.
# Expected: an error that says that credentials are missing. "AWS SDKs and Tools Reference Guide", IMDS credential provider:
#   AWS_EC2_METADATA_DISABLED=true switches requests to the metadata service off; boto3, the CLI and most SDKs keep to it.
# Seen: a PUT of /latest/api/token goes to the metadata address (here a listener on loopback that takes its place) before the first request
#   to the store, whatever the variable says. On a network that drops packets to 169.254.169.254 this is a wait
#   with retries; on a cloud machine the machine's own role is used in place of an error.
# Output:  asked: [('PUT', '/latest/api/token')]
# Why it matters: a misspelt name of a credential does not fail, it talks to another server, and a test leaves loopback. A program that opens
#   a store passes the credentials or refuses, and leaves nothing to the chain.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check obstore==0.12.1

env -i PATH="$PATH" HOME="$work" AWS_EC2_METADATA_DISABLED=true venv/bin/python - <<'PY'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
import obstore
from obstore.store import S3Store
asked = []

class Metadata(BaseHTTPRequestHandler):
    def do_PUT(self):
        asked.append((self.command, self.path))
        self.send_response(404)
        self.end_headers()
    do_GET = do_PUT
    def log_message(self, *_):
        pass

listener = HTTPServer(("127.0.0.1", 0), Metadata)
threading.Thread(target=listener.serve_forever, daemon=True).start()
store = S3Store("bucket", endpoint="http://127.0.0.1:9", region="us-east-1", client_options={"allow_http": True},
                metadata_endpoint=f"http://127.0.0.1:{listener.server_port}", retry_config={"max_retries": 0})
try:
    obstore.head(store, "object")
except obstore.exceptions.BaseError as error:
    print(type(error).__name__, str(error).splitlines()[0][:60])
print("asked:", asked)
listener.shutdown()
assert asked == [("PUT", "/latest/api/token")]
PY
