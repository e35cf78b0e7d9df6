"""An entry's bytes on the way to a Volume and back: digest, compression, sparse, encryption, signature."""

from filed.pipeline.compress import Codec, Compression
from filed.pipeline.digest import Digest
from filed.pipeline.forward import Encoder, EntryEncoder
from filed.pipeline.keys import Cipher, Keyring, load_certificate, load_key_pair, load_keyring
from filed.pipeline.plan import PkiKeys, Plan, load_pki_keys
from filed.pipeline.queue import RecordQueue
from filed.pipeline.reverse import Checked, Decoder, EntryDecoder, Piece
from filed.pipeline.sign import SignatureDigest, Signed
from filed.pipeline.workers import Workers

__all__ = [
    "Checked",
    "Cipher",
    "Codec",
    "Compression",
    "Decoder",
    "Digest",
    "Encoder",
    "EntryDecoder",
    "EntryEncoder",
    "Keyring",
    "Piece",
    "PkiKeys",
    "Plan",
    "RecordQueue",
    "SignatureDigest",
    "Signed",
    "Workers",
    "load_certificate",
    "load_key_pair",
    "load_keyring",
    "load_pki_keys",
]
