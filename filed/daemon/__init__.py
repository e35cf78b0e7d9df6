"""Where everything is joined: the supervisor of job processes."""
