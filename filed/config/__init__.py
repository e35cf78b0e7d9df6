"""Bacula's configuration syntax, and what a conf says, as values."""

from filed.config.agents import DEFAULT as DEFAULT_AGENT
from filed.config.agents import AgentConf, agent_id
from filed.config.check import Report, check
from filed.config.filedaemon import Director, FileDaemon, FileDaemonConf, read_filedaemon_conf
from filed.config.keys import Cipher, Pki, PkiDigest, Tls
from filed.config.standalone import Job, Level, StandaloneConf, Storage, read_standalone_conf

__all__ = [
    "DEFAULT_AGENT",
    "AgentConf",
    "Cipher",
    "Director",
    "FileDaemon",
    "FileDaemonConf",
    "Job",
    "Level",
    "Pki",
    "PkiDigest",
    "Report",
    "StandaloneConf",
    "Storage",
    "Tls",
    "agent_id",
    "check",
    "read_filedaemon_conf",
    "read_standalone_conf",
]
