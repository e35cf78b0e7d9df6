"""Records as entries for agents."""
