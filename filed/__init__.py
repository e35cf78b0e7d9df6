"""A backup File Daemon that loads compiled agents and writes Bacula Volumes."""

__version__ = "0.1.0"
