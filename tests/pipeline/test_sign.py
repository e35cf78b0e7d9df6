from __future__ import annotations

import pytest

from filed.errors import StreamError
from filed.pipeline.der import Signer, pack_signatures
from filed.pipeline.digest import Digest
from filed.pipeline.keys import Keyring
from filed.pipeline.sign import SignatureDigest, Signed, sign, signature_digests, verify
from tests.pipeline.content import CLIENT, MASTER
from tests.wire.golden import hex_record

CONTENT = b"This is the file hello.txt.\n"
OURS = Keyring((CLIENT,))


@pytest.mark.parametrize("kind", SignatureDigest)
def test_a_signature_holds_for_its_content_alone(kind):
    record = sign(CLIENT, kind, kind.digest.new(CONTENT).digest())
    assert signature_digests(record) == {kind.digest}
    assert verify(record, OURS, {kind.digest: kind.digest.new(CONTENT).digest()}) is (
        Signed.WEAK if kind in {SignatureDigest.MD5, SignatureDigest.SHA1} else Signed.VALID
    )
    assert verify(record, OURS, {kind.digest: kind.digest.new(b"other").digest()}) is Signed.INVALID
    assert verify(record, OURS, {}) is Signed.UNCHECKED
    assert verify(record, Keyring((MASTER,)), {}) is Signed.UNKNOWN_SIGNER
    assert verify(record, Keyring(signers=(CLIENT.certificate,)), {}) is Signed.UNCHECKED


def test_a_real_daemons_signature_is_by_its_own_key():
    record = hex_record("crypto-signature")
    assert signature_digests(record) == {Digest.SHA256}
    assert verify(record, OURS, {Digest.SHA256: bytes(32)}) is Signed.INVALID


def test_several_signers_are_tried_for_one_we_know():
    record = sign(CLIENT, SignatureDigest.SHA256, Digest.SHA256.new(CONTENT).digest())
    stranger = Signer(b"a stranger", "1.2.3", "1.2.4", b"x")
    from filed.pipeline.der import parse_signatures

    both = pack_signatures([stranger, *parse_signatures(record)])
    assert verify(both, OURS, {Digest.SHA256: Digest.SHA256.new(CONTENT).digest()}) is Signed.VALID


def test_an_unknown_digest_is_named():
    record = pack_signatures([Signer(CLIENT.certificate.key_id, "1.2.3.4", "1.2.4", b"x")])
    assert signature_digests(record) == set()
    with pytest.raises(StreamError, match=r"1\.2\.3\.4"):
        verify(record, OURS, {})
