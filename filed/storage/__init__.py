"""The far end of a Job's records. Which files hold them, what is durable when, who may write where."""

from filed.catalog import JobMedia as JobMedia
from filed.storage.daemon_append import DaemonAppendSession as DaemonAppendSession
from filed.storage.daemon_read import DaemonReadSession as DaemonReadSession
from filed.storage.daemon_session import StorageAddress as StorageAddress
from filed.storage.daemon_session import open_storage as open_storage
from filed.storage.directory import VolumeDirectory as VolumeDirectory
from filed.storage.scan import ScannedSession as ScannedSession
from filed.storage.session import AppendSession as AppendSession
from filed.storage.session import JobIdentity as JobIdentity
from filed.storage.session import JobTotals as JobTotals
