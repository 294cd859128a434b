"""Containers made ahead of time: the gate, its messages, and who keeps, opens and hears it."""
