from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from filed.errors import ConfigError
from filed.pipeline.compress import Codec, Compression
from filed.pipeline.keys import Cipher
from filed.pipeline.plan import Plan, load_pki_keys
from tests.pipeline.content import CHUNK, CLIENT, ENCRYPTING, MASTER, SIGNING, SPARSE_CHUNK
from tests.vector_keys import KEYS

GZIP, LZO, ZSTD = Compression(Codec.GZIP), Compression(Codec.LZO), Compression(Codec.ZSTD, 3)


@pytest.mark.parametrize(
    ("plan", "data_stream", "plain_stream", "chunk"),
    [
        (Plan(), 2, 2, CHUNK),
        (Plan(compression=GZIP), 4, 4, CHUNK),
        (Plan(compression=LZO), 29, 29, CHUNK),
        (Plan(sparse=True), 6, 6, SPARSE_CHUNK),
        (Plan(sparse=True, compression=GZIP), 7, 7, SPARSE_CHUNK),
        (Plan(sparse=True, compression=ZSTD), 30, 30, SPARSE_CHUNK),
        (Plan(crypto=ENCRYPTING), 20, 2, CHUNK),
        (Plan(crypto=ENCRYPTING, compression=GZIP), 23, 4, CHUNK),
        (Plan(crypto=ENCRYPTING, compression=LZO), 32, 29, CHUNK),
        (Plan(crypto=ENCRYPTING, sparse=True), 20, 2, CHUNK),
        (Plan(crypto=SIGNING), 2, 2, CHUNK),
        (Plan(crypto=SIGNING, sparse=True, compression=GZIP), 4, 4, CHUNK),
    ],
)
def test_options_name_the_stream_of_data(plan, data_stream, plain_stream, chunk):
    assert (plan.data_stream, plan.plain_stream, plan.chunk_bytes) == (data_stream, plain_stream, chunk)


def test_the_first_key_file_is_the_pair_and_the_others_are_masters():
    keys = load_pki_keys([KEYS / "TEST-ONLY-client.pem", KEYS / "TEST-ONLY-master.crt"], cipher=Cipher.AES256)
    assert keys.pair.certificate.key_id == CLIENT.certificate.key_id
    assert [to.key_id for to in keys.recipients] == [CLIENT.certificate.key_id, MASTER.certificate.key_id]
    assert (keys.encrypt, keys.cipher) == (True, Cipher.AES256)
    with pytest.raises(ConfigError, match="no private key"):
        load_pki_keys([KEYS / "TEST-ONLY-client.crt"])


def test_cryptography_is_loaded_when_keys_are_and_not_before():
    program = "import sys, filed.pipeline; sys.exit('cryptography' in sys.modules or 'zstandard' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2]).returncode == 0
