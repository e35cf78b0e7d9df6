import re
from dataclasses import replace

import pytest

from filed.config.keys import NO_PKI, NO_TLS, Cipher, Pki, PkiDigest, Tls, read_pki, read_tls, tls_gaps
from filed.config.resources import Block, Warnings
from filed.config.syntax import parse
from filed.errors import ConfigError


def block(text: str) -> Block:
    (statement,) = parse("FileDaemon {\n" + text + "\n}", "f")
    return Block(statement, "FileDaemon", Warnings())


def test_nothing_said_is_nothing_on():
    assert read_pki(block("")) == NO_PKI
    assert read_tls(block(""), server=True) == replace(NO_TLS, psk=True), "but for the key that both have anyway"


def test_pki_is_read_whole():
    text = (
        'PKI Signatures = Yes; PKI Encryption = Yes; PKI Keypair = "/k.pem"\nPKI Master Key = /m1.pem\n'
        "PKI Master Key = /m2.pem; PKI Signer = /s.pem\nPKI Cipher = AES256; PKI Digest = sha1"
    )
    assert read_pki(block(text)) == Pki(
        True, True, "/k.pem", ("/s.pem",), ("/m1.pem", "/m2.pem"), Cipher.AES256, PkiDigest.SHA1
    )


def test_pki_without_a_key_pair_is_refused():
    with pytest.raises(ConfigError, match='"PKI Signatures" needs a "PKI Keypair"'):
        read_pki(block("PKI Signatures = yes"))


def test_an_unknown_cipher_is_told_the_known():
    with pytest.raises(ConfigError, match=re.escape('"des3" is not one of aes128, aes192, aes256, blowfish')):
        read_pki(block("PKI Cipher = des3"))


def test_tls_is_read_whole_where_peers_connect():
    text = (
        "TLS Enable = yes; TLS Require = yes; TLS Verify Peer = no; TLS CA Certificate File = /ca\n"
        "TLS Certificate = /c; TLS Key = /k; TLS Allowed CN = a\nTLS Allowed CN = b, c; TLS DH File = /dh"
    )
    tls = read_tls(block(text), server=True)
    assert (tls.enable, tls.require, tls.verify_peer, tls.ca_certificate_file) == (True, True, False, "/ca")
    assert (tls.certificate, tls.key, tls.allowed_cns, tls.dh_file) == ("/c", "/k", ("a", "b", "c"), "/dh")


def test_tls_without_a_certificate_is_refused_where_peers_connect():
    for text, directive in (("TLS Enable = yes", "Enable"), ("TLS Require = yes; TLS PSK Enable = no", "Require")):
        with pytest.raises(ConfigError, match=f'"TLS {directive}" needs a "TLS Certificate"'):
            read_tls(block(text), server=True)
    assert read_tls(block("TLS Enable = yes; TLS CA Certificate File = /ca"), server=False).enable


def test_tls_without_an_authority_is_refused_unless_nobody_is_checked():
    text = "TLS Enable = yes; TLS Certificate = /c; TLS Key = /k"
    with pytest.raises(ConfigError, match=r'"TLS CA Certificate File".*or say "TLS Verify Peer = no"'):
        read_tls(block(text), server=True)
    assert not read_tls(block(text + "; TLS Verify Peer = no"), server=True).verify_peer
    with pytest.raises(ConfigError, match='"TLS Require" needs a "TLS CA Certificate File"'):
        read_tls(block("TLS Require = yes; TLS PSK Enable = no"), server=False)


def test_tls_that_is_required_needs_no_certificate_where_there_is_a_shared_key():
    tls = read_tls(block("TLS Require = yes"), server=True)
    assert (tls.require, tls.psk, tls.enable) == (True, True, False)
    tls = read_tls(
        block("TLS Require = yes; TLS Certificate = /c; TLS Key = /k; TLS CA Certificate File = /ca"), server=True
    )
    assert tls.enable, "what is given is used"


def test_tls_that_would_end_again_is_refused():
    with pytest.raises(ConfigError, match='"TLS Authenticate" is not supported'):
        read_tls(block("TLS Authenticate = yes"), server=True)


def test_tls_that_can_be_taken_away_or_answered_by_anybody_of_the_authority_is_said():
    open_to_all = Tls(enable=True)
    assert [gap.split(":")[0] for gap in tls_gaps(open_to_all, server=True)] == [
        '"TLS Enable" without "TLS Require = yes"',
        '"TLS CA Certificate File" without "TLS Allowed CN"',
    ]
    assert len(tls_gaps(open_to_all, server=False)) == 1, "a Storage Daemon's name is the address that was called"
    closed = replace(open_to_all, require=True, allowed_cns=("a-dir",))
    assert tls_gaps(closed, server=True) == []
    assert tls_gaps(Tls(psk=True), server=True) == [], "the shared key proves who is at the other end"
