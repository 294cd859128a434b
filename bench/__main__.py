"""`python -m bench [NAME…]`: measure, and show a table for the terminal and one for a note."""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console

from air_executor import AirExecutorError
from bench import chain, dags, job, journal, machine, scale
from bench.failed import BenchFailed
from bench.figures import Row, markdown_table, rich_table

MEASURES: dict[str, Callable[[], Iterator[Row]]] = {
    "job": job.measure,
    "chain": chain.measure,
    "dags": dags.measure,
    "journal": journal.measure,
    "scale": scale.measure,
}


def main() -> int:
    """Returns 0 when everything ran, however long it took."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Side-by-side measurements.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"some of: {', '.join(MEASURES)}; default all"
    )
    names = parser.parse_args().names or list(MEASURES)
    if unknown := [name for name in names if name not in MEASURES]:
        parser.error(f"there is no {unknown[0]!r}; there are: {', '.join(MEASURES)}")
    # Ends through every `finally`, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    progress = Console(stderr=True, highlight=False)
    try:
        facts = machine.facts()
    except BenchFailed as error:
        progress.print(f"bench: {error}", style="red", markup=False)
        return 1
    rows: list[Row] = []
    failed = [name for name in names if not _measured(name, rows, progress)]
    if rows:
        _show(facts, rows)
    return 1 if failed else 0


def _measured(name: str, rows: list[Row], progress: Console) -> bool:
    """Whether it ran. Adds its rows as they come, so that a failure at the end loses none."""
    began = time.monotonic()
    progress.print(f"{name} …", style="dim")
    try:
        rows.extend(MEASURES[name]())
    except (BenchFailed, AirExecutorError, OSError) as error:
        progress.print(f"{name} failed: {error}", style="red", markup=False)
        return False
    progress.print(f"{name}: measured in {time.monotonic() - began:.0f} s", style="dim")
    return True


def _show(facts: str, rows: list[Row]) -> None:
    console = Console(highlight=False)
    console.print(rich_table(rows))
    # Plain text: nothing may wrap what is to be pasted.
    print(f"\n{facts}\n\n{markdown_table(rows)}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
