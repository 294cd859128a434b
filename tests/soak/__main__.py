"""`python -m tests.soak`: exit code 1 when a promise was broken."""

import argparse
import secrets
import sys

from rich.console import Console

from tests.soak import course, report


def main() -> int:
    """Run it, and show what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Random jobs, random faults.")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long faults strike; default 5")
    parser.add_argument("--seed", type=int, default=None, help="the same jobs and faults as before")
    asked = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if asked.seed is None else asked.seed
    console = Console()
    console.print(f"seed {seed}")  # at once: what never comes to an end can be repeated too
    done = course.run(seed, asked.minutes)
    report.show(done, console)
    return 1 if done.violations else 0


if __name__ == "__main__":
    sys.exit(main())
