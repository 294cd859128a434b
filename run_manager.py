#!/usr/bin/env python3
"""Start the manager in this process: `python run_manager.py`."""

import sys

try:
    from manager.app import main
except ModuleNotFoundError as missing:
    sys.exit(
        f"The manager needs the Python package {missing.name!r}, which this Python does not have.\n"
        "Run `make setup` once, then: .venv/bin/python run_manager.py"
    )

if __name__ == "__main__":
    sys.exit(main())
