"""A Storage Daemon."""
