"""What lies in a directory of Volumes: Jobs, files, states of agents. One SQLite file, which the Volumes can rebuild.

Only who makes it anew needs `filed.catalog.rebuild`, which is not in the door: 5 ms of every start.
"""

from filed.catalog.base_chain import BaseOfChain
from filed.catalog.base_list import UNKNOWN_PLUGIN, BaseList, BaseRow, is_at_or_below
from filed.catalog.catalog import Catalog
from filed.catalog.chain import BaseChoice, BaseWhy
from filed.catalog.database import CATALOG_FILE
from filed.catalog.facts import JobFacts, facts_object, facts_of
from filed.catalog.feed import INCOMPLETE, METADATA_ONLY, RecordFeed
from filed.catalog.find import Change, ChangeKind, PathGlob, path_glob
from filed.catalog.glob import is_pattern
from filed.catalog.job import GOOD, Job, JobId, JobMedia, JobTotals, Level, NewJob, Status, Volume
from filed.catalog.liveness import ProcessMark
from filed.catalog.retention import Period, PrunePlan, Retention, plan_delete, plan_prune
from filed.catalog.state import FoundState, Seal, SealedState, StateWhy, fits, state_object, state_of
from filed.catalog.tree import FileRow

__all__ = [
    "CATALOG_FILE",
    "GOOD",
    "INCOMPLETE",
    "METADATA_ONLY",
    "UNKNOWN_PLUGIN",
    "BaseChoice",
    "BaseList",
    "BaseOfChain",
    "BaseRow",
    "BaseWhy",
    "Catalog",
    "Change",
    "ChangeKind",
    "FileRow",
    "FoundState",
    "Job",
    "JobFacts",
    "JobId",
    "JobMedia",
    "JobTotals",
    "Level",
    "NewJob",
    "PathGlob",
    "Period",
    "ProcessMark",
    "PrunePlan",
    "RecordFeed",
    "Retention",
    "Seal",
    "SealedState",
    "StateWhy",
    "Status",
    "Volume",
    "facts_object",
    "facts_of",
    "fits",
    "is_at_or_below",
    "is_pattern",
    "path_glob",
    "plan_delete",
    "plan_prune",
    "state_object",
    "state_of",
]
