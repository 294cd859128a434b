"""Container engines: the contract in `base`, one module for each engine."""
