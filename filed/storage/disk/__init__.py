"""A directory of Volumes."""
