"""A backup File Daemon that loads compiled agents."""
