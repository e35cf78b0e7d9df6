"""Which agent gets which line of a FileSet, and the order of begin, commit and end."""
