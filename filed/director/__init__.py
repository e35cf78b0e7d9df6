"""One Director's visit: who it is, what it says, what it is told."""
