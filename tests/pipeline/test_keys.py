from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from filed.errors import ConfigError
from filed.pipeline.keys import Keyring, check_strength, load_certificate, load_key_pair, load_keyring
from tests.pipeline.content import CLIENT, MASTER
from tests.vector_keys import KEYS

PAIR = (KEYS / "TEST-ONLY-client.pem").read_bytes()
CERTIFICATE = (KEYS / "TEST-ONLY-client.crt").read_bytes()


def make(key, *, named: bool = True) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    day = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + dt.timedelta(1))
    if named:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def private(key, form=PrivateFormat.PKCS8, secret=NoEncryption()) -> bytes:  # noqa: B008 - a constant
    return key.private_bytes(Encoding.PEM, form, secret)


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def file(tmp_path):
    def write(content: bytes):
        path = tmp_path / "keys.pem"
        path.write_bytes(content)
        path.chmod(0o600)
        return path

    return write


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_pair_is_read_in_either_order_with_text_between(file, key, form):
    for pem in (make(key) + b"some text\n" + private(key, form), private(key, form) + make(key)):
        pair = load_key_pair(file(pem))
        assert pair.private_key.private_numbers() == key.private_numbers()
        assert len(pair.certificate.key_id) == 20


def test_an_expired_certificate_is_as_good_as_any(file, key):
    assert load_certificate(file(make(key))).key_id


def test_nothing_of_a_private_key_is_shown():
    assert "private" not in repr(CLIENT).replace("private_key", "")
    assert "RSAPrivate" not in repr(CLIENT)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no certificate"),
        (CERTIFICATE, "no private key"),
        (PAIR.replace(b"BEGIN CERTIFICATE-----\nM", b"BEGIN CERTIFICATE-----\nA"), "certificate cannot be read"),
        (PAIR.replace(b"PRIVATE KEY-----\nM", b"PRIVATE KEY-----\nA"), "private key cannot be read"),
        (b"x" * (2 << 20), "too long"),
    ],
)
def test_a_bad_key_file_is_named_with_its_fault(file, content, why):
    path = file(content)
    with pytest.raises(ConfigError, match=why) as error:
        load_key_pair(path)
    assert str(error.value).startswith(str(path))


def test_what_volumes_do_not_know_is_refused(file, key):
    curve = ec.generate_private_key(ec.SECP256R1())
    for content, why in (
        (make(key) + private(key, secret=BestAvailableEncryption(b"secret")), "passphrase"),
        (CERTIFICATE + private(key), "does not belong"),
        (make(key, named=False) + private(key), "subjectKeyIdentifier"),
        (make(curve) + private(curve), "certificate's key is not RSA"),
        (make(key) + private(curve), "private key is not RSA"),
    ):
        with pytest.raises(ConfigError, match=why):
            load_key_pair(file(content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.pem: the key file cannot be read: No such file"):
        load_certificate(tmp_path / "nowhere.pem")


def test_a_keyring_knows_pairs_and_signers_apart():
    keyring = load_keyring([KEYS / "TEST-ONLY-client.pem", KEYS / "TEST-ONLY-master.crt"])
    client, master = CLIENT.certificate.key_id, MASTER.certificate.key_id
    assert keyring.pair(client) is not None
    assert keyring.pair(master) is None
    assert keyring.signer(client) is not None
    assert keyring.signer(master) is not None
    assert Keyring().signer(client) is None


def test_a_key_file_that_others_read_or_write_is_refused(file):
    path = file(PAIR)
    for mode, why in ((0o604, "others can read this private key; run: chmod 600"), (0o602, "can be written by others")):
        path.chmod(mode)
        with pytest.raises(ConfigError, match=why):
            load_key_pair(path)
        with pytest.raises(ConfigError, match=why):
            load_keyring([path])
    path = file(CERTIFICATE)
    path.chmod(0o644)
    load_certificate(path)
    path.chmod(0o646)
    with pytest.raises(ConfigError, match="can be written by others"):
        load_certificate(path)


def test_a_short_key_reads_and_no_longer_saves(file):
    short = rsa.generate_private_key(65537, 1024)
    path = file(make(short) + private(short))
    pair = load_key_pair(path)
    assert load_keyring([path]).pair(pair.certificate.key_id)
    with pytest.raises(ConfigError, match=r"keys\.pem: its RSA key has 1024 bits, and backups need 2048"):
        check_strength(pair.certificate, path)
    check_strength(CLIENT.certificate, path)
