"""Container engines: the contract, one package for each engine."""
