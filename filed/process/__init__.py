"""A child process: how it is described, started, watched, limited and ended. Knows no agents."""
