"""What to send: which entries of an agent's pages a Job wants, and what of its base is gone. Touches no bytes."""
