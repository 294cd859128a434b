"""How containers begin: the gate, its messages, and who keeps, opens and hears it; warm containers."""
