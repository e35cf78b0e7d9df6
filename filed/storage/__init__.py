"""The far end of a Job's records. Which files hold them, what is durable when, who may write where.

What talks to a Storage Daemon is not in this door: `filed.storage.daemon`, 30 ms of a start.
"""

from filed.catalog import JobMedia as JobMedia
from filed.storage.disk.directory import VolumeDirectory as VolumeDirectory
from filed.storage.interface import AppendSession as AppendSession
from filed.storage.interface import FileId as FileId
from filed.storage.interface import JobIdentity as JobIdentity
from filed.storage.interface import JobTotals as JobTotals
from filed.storage.interface import ReadSession as ReadSession
from filed.storage.interface import Repository as Repository
from filed.storage.interface import ScannedSession as ScannedSession
