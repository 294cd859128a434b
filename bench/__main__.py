"""`python -m bench [NAME|NUMBER…]`: measure, and show a table for the terminal and one for a note."""

import argparse
import signal
import sys
import time
from datetime import UTC, datetime

from docker.errors import DockerException
from rich.console import Console

from air_executor import AirExecutorError
from bench import machine, results
from bench.failed import BenchFailed
from bench.figures import Row, markdown_table, rich_table
from bench.machine import Facts
from bench.measures import GOALS, MEASURES, chosen

SETTLE = 10.0
"""Seconds before each measure: what was begun before it is over."""


def main() -> int:
    """Returns 0 when everything ran, however long it took."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Side-by-side measurements.")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="NAME|NUMBER",
        help=f"some of: {', '.join(MEASURES)}; or rows, 1 to 12; default all",
    )
    try:
        names = chosen(parser.parse_args().words)
    except ValueError as error:
        parser.error(str(error))
    # Ends through every `finally`, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    progress = Console(stderr=True, highlight=False)
    try:
        facts = machine.facts()
    except BenchFailed as error:
        progress.print(f"bench: {error}", style="red", markup=False)
        return 1
    began = datetime.now(UTC)
    rows: list[Row] = []
    failed: list[str] = []
    file = results.FILE if set(names) >= set(GOALS) else results.PARTIAL
    for name in names:
        time.sleep(SETTLE)
        if not _measured(name, rows, progress):
            failed.append(name)
        results.write(file, facts, began, rows, failed)  # each time, so that an interruption loses little
    if rows:
        _show(facts, rows)
    return 1 if failed else 0


def _measured(name: str, rows: list[Row], progress: Console) -> bool:
    """Whether it ran. Adds its rows as they come, so that a failure at the end loses none."""
    began = time.monotonic()
    progress.print(f"{name} …", style="dim")
    try:
        rows.extend(MEASURES[name].run())
    except (BenchFailed, AirExecutorError, DockerException, OSError) as error:
        progress.print(f"{name} failed: {error}", style="red", markup=False)
        return False
    except Exception:  # a mistake of ours: the other measures run all the same
        progress.print(f"{name} failed:", style="red")
        progress.print_exception()
        return False
    progress.print(f"{name}: measured in {time.monotonic() - began:.0f} s", style="dim")
    return True


def _show(facts: Facts, rows: list[Row]) -> None:
    console = Console(highlight=False)
    console.print(rich_table(rows))
    # Plain text: nothing may wrap what is to be pasted.
    print(f"\n{facts}\n\n{markdown_table(rows)}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
