"""argv to calls: one file for each group of commands."""
