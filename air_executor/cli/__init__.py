"""The `air-executor` command."""

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        # Here and not above: Ctrl-C during these imports, half a second, is to be quiet as well.
        from air_executor.cli.app import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
