"""Bacula's Volume format: blocks, records, labels. Pure format; which Volume is used for what is storage's business."""

from filed.volume.block import BlockHeader as BlockHeader
from filed.volume.block import BlockVersion as BlockVersion
from filed.volume.block import single_record_block as single_record_block
from filed.volume.label import SessionEnd as SessionEnd
from filed.volume.label import SessionLabel as SessionLabel
from filed.volume.label import VolumeLabel as VolumeLabel
from filed.volume.label import pack_session_label as pack_session_label
from filed.volume.label import pack_volume_label as pack_volume_label
from filed.volume.label import parse_session_label as parse_session_label
from filed.volume.label import parse_volume_label as parse_volume_label
from filed.volume.reader import Assembly as Assembly
from filed.volume.reader import VolumeReader as VolumeReader
from filed.volume.record import Buffer as Buffer
from filed.volume.record import LabelType as LabelType
from filed.volume.record import Record as Record
from filed.volume.record import Session as Session
from filed.volume.selection import FileIndexes as FileIndexes
from filed.volume.walk import Damage as Damage
from filed.volume.walk import OnDamage as OnDamage
from filed.volume.writer import BlockWriter as BlockWriter
