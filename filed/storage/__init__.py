"""The far end of a Job's records. Which files hold them, what is durable when, who may write where."""

from filed.catalog import JobMedia as JobMedia
from filed.storage.directory import VolumeDirectory as VolumeDirectory
from filed.storage.scan import ScannedSession as ScannedSession
from filed.storage.session import AppendSession as AppendSession
from filed.storage.session import JobIdentity as JobIdentity
from filed.storage.session import JobTotals as JobTotals
