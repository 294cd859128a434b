"""`results.json`: the latest run of all measures, for programs and for whoever wants to compare."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.failed import BenchFailed
from bench.figures import Row
from bench.machine import Facts

FILE = Path(__file__).with_name("results.json")
PARTIAL = Path(__file__).with_name("results.partial.json")
"""Of some measures only; not kept in the repository."""


def write(file: Path, facts: Facts, began: datetime, rows: Sequence[Row], failed: Sequence[str]) -> None:
    """Replace `file`. `failed` names the measures that did not run to their end: rows may be missing."""
    date = began.astimezone(UTC).isoformat(timespec="seconds")
    document = {
        "date": date,
        **facts.document(),
        "rows": [row.document() | {"date": date} for row in rows],
        "failed": list(failed),
    }
    _put(file, document)


def update() -> None:
    """Put the rows of the last partial run in the place of those with the same numbers.

    Raises BenchFailed when they were not measured later, on the same machine with the same versions.
    """
    whole, partial = json.loads(FILE.read_text()), json.loads(PARTIAL.read_text())
    for what in ("cores", "memory_gib", "kernel"):
        if whole["machine"][what] != partial["machine"][what]:
            raise BenchFailed(f"the machine is another one: {what}")
    if whole["versions"] != partial["versions"]:
        raise BenchFailed("the versions are others: measure everything again")
    if partial["date"] < whole["date"]:
        raise BenchFailed("the partial run is older than the whole: measure these rows again")
    numbers = {row["number"] for row in partial["rows"]}
    kept = [row for row in whole["rows"] if row["number"] not in numbers]
    rows = sorted(kept + partial["rows"], key=lambda row: (row["number"] is None, row["number"]))
    _put(FILE, whole | {"rows": rows})


def _put(file: Path, document: dict[str, Any]) -> None:
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
