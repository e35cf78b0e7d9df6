"""An entry's bytes on the way to a Volume and back: digest, compression, sparse, encryption, signature."""

from filed.pipeline.compress import CHUNK_BYTES as CHUNK_BYTES
from filed.pipeline.compress import Codec as Codec
from filed.pipeline.compress import Compression as Compression
from filed.pipeline.digest import Digest as Digest
from filed.pipeline.forward import Encoder as Encoder
from filed.pipeline.forward import EntryEncoder as EntryEncoder
from filed.pipeline.in_use import DigestsInUse as DigestsInUse
from filed.pipeline.keys import Cipher as Cipher
from filed.pipeline.keys import Keyring as Keyring
from filed.pipeline.keys import load_keyring as load_keyring
from filed.pipeline.plan import PkiKeys as PkiKeys
from filed.pipeline.plan import Plan as Plan
from filed.pipeline.plan import load_pki_keys as load_pki_keys
from filed.pipeline.queue import RecordQueue as RecordQueue
from filed.pipeline.reverse import Checked as Checked
from filed.pipeline.reverse import Decoder as Decoder
from filed.pipeline.reverse import EntryDecoder as EntryDecoder
from filed.pipeline.sign import SignatureDigest as SignatureDigest
from filed.pipeline.sign import Signed as Signed
from filed.pipeline.whole import proves as proves
from filed.pipeline.whole import small_content as small_content
from filed.pipeline.workers import Lane as Lane
from filed.pipeline.workers import Slot as Slot
from filed.pipeline.workers import Workers as Workers
