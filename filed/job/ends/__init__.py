"""The two far ends of a Job: a directory of Volumes with its own catalog, and a Storage Daemon with its Director."""
