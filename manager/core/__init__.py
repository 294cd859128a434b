"""PURE. The decisions: no threads, clocks or files."""
