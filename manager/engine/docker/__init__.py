"""The Docker Engine behind the contract."""
