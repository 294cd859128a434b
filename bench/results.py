"""`results.json`: the latest run of all measures, for programs and for whoever wants to compare."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Row
from bench.machine import Facts

FILE = Path(__file__).with_name("results.json")
PARTIAL = Path(__file__).with_name("results.partial.json")
"""Of some measures only; not kept in the repository."""


def write(file: Path, facts: Facts, began: datetime, rows: Sequence[Row], failed: Sequence[str]) -> None:
    """Replace `file`. `failed` names the measures that did not run to their end: rows may be missing."""
    document = {
        "date": began.astimezone(UTC).isoformat(timespec="seconds"),
        **facts.document(),
        "rows": [row.document() for row in rows],
        "failed": list(failed),
    }
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
