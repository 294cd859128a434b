"""Start a manager that never waits for the disk: only for measuring what that waiting costs.

A power cut would lose what it has decided, so no setting of the product makes it so.
"""

import os
import sys
from pathlib import Path


def _no_sync(_file: object) -> None:
    pass


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    for name in ("fsync", "fdatasync"):
        setattr(os, name, _no_sync)
    from manager.app import main

    sys.exit(main())
