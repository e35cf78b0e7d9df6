"""What lies in a directory of Volumes: Jobs, files, states of agents. One SQLite file, which the Volumes can rebuild."""

from filed.catalog.base_list import BaseList, BaseRow
from filed.catalog.catalog import Catalog
from filed.catalog.chain import BaseChoice, BaseWhy
from filed.catalog.database import CATALOG_FILE
from filed.catalog.feed import RecordFeed
from filed.catalog.job import Job, JobId, JobMedia, JobTotals, Level, NewJob, Status, Volume
from filed.catalog.liveness import ProcessMark
from filed.catalog.tree import FileRow

__all__ = [
    "CATALOG_FILE",
    "BaseChoice",
    "BaseList",
    "BaseRow",
    "BaseWhy",
    "Catalog",
    "FileRow",
    "Job",
    "JobId",
    "JobMedia",
    "JobTotals",
    "Level",
    "NewJob",
    "ProcessMark",
    "RecordFeed",
    "Status",
    "Volume",
]
