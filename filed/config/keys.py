"""The directives that name keys and certificates: TLS of a connection, PKI of file data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from filed.config.resources import Block


class Cipher(StrEnum):
    AES128 = "aes128"
    AES192 = "aes192"
    AES256 = "aes256"
    BLOWFISH = "blowfish"


class PkiDigest(StrEnum):
    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS of one side.  The files are paths, "" when not set.

    enable: with certificates. psk: with the shared secret, where the peer can (Bacula 11 to 15). require: by one of the two.
    """

    enable: bool = False
    require: bool = False
    psk: bool = False
    verify_peer: bool = True
    ca_certificate_file: str = ""
    ca_certificate_dir: str = ""
    certificate: str = ""
    key: str = ""
    dh_file: str = ""
    allowed_cns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pki:
    """Encryption and signatures of file data.  keypair, signers, master_keys: PEM files.

    accept_unsigned: restores take what carries no signature of a known signer, too.
    """

    signatures: bool = False
    encryption: bool = False
    keypair: str = ""
    signers: tuple[str, ...] = ()
    master_keys: tuple[str, ...] = ()
    cipher: Cipher = Cipher.AES128
    digest: PkiDigest = PkiDigest.SHA256
    accept_unsigned: bool = False


NO_TLS = Tls()
NO_PKI = Pki()


def read_pki(block: Block) -> Pki:
    pki = Pki(
        signatures=block.yes("PKI Signatures"),
        encryption=block.yes("PKI Encryption"),
        keypair=block.path("PKI Keypair"),
        signers=block.paths("PKI Signer"),
        master_keys=block.paths("PKI Master Key"),
        cipher=block.choice("PKI Cipher", Cipher, Cipher.AES128),
        digest=block.choice("PKI Digest", PkiDigest, PkiDigest.SHA256),
        accept_unsigned=block.yes("PKI Accept Unsigned"),
    )
    if (pki.signatures or pki.encryption) and not pki.keypair:
        wanted = "PKI Signatures" if pki.signatures else "PKI Encryption"
        raise block.place.error(f'"{wanted}" needs a "PKI Keypair": a PEM file with a certificate and its private key')
    return pki


def read_tls(block: Block, *, server: bool) -> Tls:
    """server: the resource is of a peer that connects to us, and may be asked for its certificate.

    Raises ConfigError for what is missing; whether the files can be used, only who loads them can tell.
    """
    if block.yes("TLS Authenticate"):
        text = '"TLS Authenticate" is not supported: it ends TLS after the authentication, which TLS 1.3 cannot do; remove it here'
        raise block.place.error(text + " and in the peer's conf: TLS then protects the whole conversation")
    tls = Tls(
        enable=block.yes("TLS Enable"),
        require=block.yes("TLS Require"),
        psk=block.yes("TLS PSK Enable", default=True),
        verify_peer=block.yes("TLS Verify Peer", default=True) if server else True,
        ca_certificate_file=block.path("TLS CA Certificate File"),
        ca_certificate_dir=block.path("TLS CA Certificate Dir"),
        certificate=block.path("TLS Certificate"),
        key=block.path("TLS Key"),
        dh_file=block.path("TLS DH File") if server else "",
        allowed_cns=block.strings("TLS Allowed CN") if server else (),
    )
    with_files = bool(tls.certificate or tls.ca_certificate_file or tls.ca_certificate_dir)
    if tls.enable or (tls.require and (with_files or not tls.psk)):
        _check_files(block, tls, server=server)
        tls = replace(tls, enable=True)
    return tls


def tls_gaps(tls: Tls, *, server: bool) -> list[str]:
    """What TLS with certificates leaves open as the conf has it, each with what to add.  Only Require and names close the way to a third."""
    gaps = []
    if tls.enable and not tls.require:
        gaps.append('"TLS Enable" without "TLS Require = yes": somebody on the way can take TLS away; add it')
    if server and tls.enable and tls.verify_peer and not tls.allowed_cns:
        text = "any certificate of the authority is taken for the peer's; list the names in its certificate"
        gaps.append(f'"TLS CA Certificate File" without "TLS Allowed CN": {text}')
    return gaps


def _check_files(block: Block, tls: Tls, *, server: bool) -> None:
    wanted = "TLS Enable" if tls.enable else "TLS Require"
    if server and not (tls.certificate and tls.key):
        raise block.place.error(f'"{wanted}" needs a "TLS Certificate" and a "TLS Key" here')
    if tls.verify_peer and not (tls.ca_certificate_file or tls.ca_certificate_dir):
        text = (
            f'"{wanted}" needs a "TLS CA Certificate File" or a "TLS CA Certificate Dir" to know good certificates by'
        )
        raise block.place.error(text + ('; or say "TLS Verify Peer = no"' if server else ""))
