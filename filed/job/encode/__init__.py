"""An agent's entries as records. Decides nothing."""
