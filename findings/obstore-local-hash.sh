#!/usr/bin/env bash
# obstore's LocalStore does not see files whose names end in "#" and digits, and refuses to write them; its S3Store takes them.
#
# Versions: obstore 0.12.1.
# Expected: a directory is listed whole, and what is a key in one store is one in the other. obstore's page of LocalStore:
#   "An ObjectStore interface to local filesystem storage", list(): "all the objects with the given prefix".
# Seen: names ending in #1, #20 ... are kept for unfinished multipart uploads (only the Rust crate's page says so). put and get raise
#   GenericError, list passes such a file over without a word. "a#b" and "a%41" are fine.
# Output:  on disk: 'issue#12' 'plain' 'v1#rc'; list: 'plain' 'v1#rc'; put: GenericError
# Why it matters: a copy of a directory through obstore is not complete, and nothing says so; a key that was tested on disk can fail on S3
#   and the other way round. Keys of letters, digits, "-", "." and single "/" are the same in all of its stores.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check obstore==0.12.1
mkdir d
touch 'd/issue#12' d/plain 'd/v1#rc'
ls d
venv/bin/python - <<'PY'
import obstore
from obstore.store import LocalStore
store = LocalStore("d")
names = sorted(entry["path"] for page in obstore.list(store) for entry in page)
print("list:", names)
assert names == ["plain", "v1#rc"]
for call in (lambda: obstore.put(store, "other#1", b"x")), (lambda: obstore.get(store, "issue#12")):
    try:
        call()
    except obstore.exceptions.GenericError as error:
        print(str(error).splitlines()[0])
    else:
        raise SystemExit("it is taken now")
PY
