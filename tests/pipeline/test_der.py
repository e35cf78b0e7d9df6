from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import StreamError
from filed.pipeline.der import (
    MAX_RECORD_BYTES,
    Recipient,
    Signer,
    pack_session,
    pack_signatures,
    parse_session,
    parse_signatures,
)
from filed.pipeline.encrypt import RSA_ENCRYPTION
from filed.pipeline.keys import Cipher
from filed.pipeline.sign import SignatureDigest
from tests.pipeline.content import CLIENT, MASTER
from tests.wire.golden import hex_record


@pytest.mark.parametrize(
    ("name", "cipher"), [("crypto-session", Cipher.AES128), ("crypto-session-aes256", Cipher.AES256)]
)
def test_the_sessions_of_real_daemons_are_read_and_written_alike(name, cipher):
    record = hex_record(name)
    oid, iv, recipients = parse_session(record)
    assert (oid, len(iv)) == (cipher.oid, 16)
    assert {to.key_id for to in recipients} == {CLIENT.certificate.key_id, MASTER.certificate.key_id}
    assert {to.algorithm for to in recipients} == {RSA_ENCRYPTION}
    assert pack_session(oid, iv, recipients[::-1]) == record


def test_the_signature_of_a_real_daemon_is_read_and_written_alike():
    record = hex_record("crypto-signature")
    (signer,) = parse_signatures(record)
    assert signer.key_id == CLIENT.certificate.key_id
    assert (signer.digest_algorithm, signer.signature_algorithm) == SignatureDigest.SHA256.value[:2]
    assert pack_signatures([signer]) == record


@given(st.lists(st.tuples(st.binary(max_size=30), st.binary(max_size=300)), unique=True, max_size=5))
def test_recipients_come_back_in_the_order_of_their_encoding(parts):
    recipients = [Recipient(key_id, RSA_ENCRYPTION, key) for key_id, key in parts]
    record = pack_session(Cipher.AES192.oid, b"iv", recipients)
    assert set(parse_session(record)[2]) == set(recipients)
    assert pack_session(Cipher.AES192.oid, b"iv", recipients[::-1]) == record


@given(st.data())
def test_damage_is_a_stream_error(data):
    for name, parse in (("crypto-session", parse_session), ("crypto-signature", parse_signatures)):
        record = bytearray(hex_record(name))
        record[data.draw(st.integers(0, 60))] ^= data.draw(st.integers(1, 255))
        try:
            parse(bytes(record[: data.draw(st.integers(0, len(record)))]))
        except StreamError:
            continue


def test_another_version_is_refused():
    session = hex_record("crypto-session").replace(b"\x02\x01\x00", b"\x02\x01\x01", 1)
    signature = pack_signatures([Signer(b"k", "1.2.3", "1.2.4", b"s")]).replace(b"\x02\x01\x00", b"\x02\x01\x05", 1)
    with pytest.raises(StreamError, match="version"):
        parse_session(session)
    with pytest.raises(StreamError, match="version"):
        parse_signatures(signature)


def test_a_record_of_megabytes_is_refused():
    with pytest.raises(StreamError, match="megabyte"):
        parse_session(bytes(MAX_RECORD_BYTES + 1))
