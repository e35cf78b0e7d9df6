"""The far end of a Job's records. Which files hold them, what is durable when, who may write where."""

from filed.catalog import JobMedia as JobMedia
from filed.storage.daemon.append import DaemonAppendSession as DaemonAppendSession
from filed.storage.daemon.read import DaemonReadSession as DaemonReadSession
from filed.storage.daemon.session import StorageAddress as StorageAddress
from filed.storage.daemon.session import open_storage as open_storage
from filed.storage.disk.directory import VolumeDirectory as VolumeDirectory
from filed.storage.disk.scan import ScannedSession as ScannedSession
from filed.storage.interface import AppendSession as AppendSession
from filed.storage.interface import JobIdentity as JobIdentity
from filed.storage.interface import JobTotals as JobTotals
from filed.storage.interface import ReadSession as ReadSession
