#!/usr/bin/env bash
# RSA decryption (PKCS #1 v1.5) with the wrong key, or of damaged bytes, raises nothing: it returns random bytes of a random length.
#
# Versions: cryptography 50.0.2 (its wheels bring OpenSSL 4).
# Expected: ValueError, as for OAEP, and as cryptography did before it moved to OpenSSL 3.2. decrypt()'s stub says "-> bytes"; RFC 8017,
#   7.2.2: "decryption error".
# Seen: "implicit rejection": a message made from the key and the ciphertext, the same each time, of any length from 0 to what fits. About one
#   in 250 has the 16 or 32 bytes of an AES key. Only a ciphertext that is a larger number than the modulus raises. OAEP always does.
# Output:  200 wrong keys: 0 errors, lengths 0 ... 241 of 136 kinds;  OAEP: ValueError Decryption failed
# Why it matters: Bacula's session records hold the key in this form. An "except ValueError" around it seldom runs, the length is the one
#   check there is, and one damaged record in some hundreds goes on with a wrong key, to be found only by the padding, signature or
#   digest behind it. A message that says "wrong length" means "wrong key or damaged".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check cryptography==50.0.2

venv/bin/python - <<'PY'
import os
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
keys = [rsa.generate_private_key(65537, 2048) for _ in "12"]
right, wrong = sorted(keys, key=lambda key: key.public_key().public_numbers().n)   # a number above the modulus does raise
lengths = []
for _ in range(200):
    sealed = right.public_key().encrypt(os.urandom(16), padding.PKCS1v15())
    opened = wrong.decrypt(sealed, padding.PKCS1v15())
    assert opened == wrong.decrypt(sealed, padding.PKCS1v15())
    lengths.append(len(opened))
print("200 wrong keys: 0 errors, lengths", min(lengths), "...", max(lengths), "of", len(set(lengths)), "kinds")
assert len(set(lengths)) > 50
damaged = bytearray(sealed)
damaged[-1] ^= 1
assert isinstance(right.decrypt(bytes(damaged), padding.PKCS1v15()), bytes)
oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
try:
    wrong.decrypt(right.public_key().encrypt(b"key", oaep), oaep)
except ValueError as error:
    print("OAEP: ValueError", error)
else:
    raise SystemExit("OAEP does the same now")
PY
