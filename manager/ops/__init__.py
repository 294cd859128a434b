"""For the operator: what is wrong, and what to do."""
