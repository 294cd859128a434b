"""PURE. The words: what has happened (facts), what is to be done (actions), and what both are about."""
