"""Rows that were measured again take the place of theirs: later, and on the same machine."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench import results
from bench.failed import BenchFailed

MACHINE = {"cores": 2, "memory_gib": 4, "kernel": "6"}


def document(date: str, *rows: tuple[int, float], **changes: Any) -> str:
    made = {"date": date, "machine": MACHINE, "versions": {"engine": "26"}} | changes
    return json.dumps(made | {"rows": [{"number": number, "value": value} for number, value in rows]})


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FILE", tmp_path / "whole.json")
    monkeypatch.setattr(results, "PARTIAL", tmp_path / "partial.json")
    results.FILE.write_text(document("2026-01-02", (1, 1.0), (2, 2.0), (2, 2.5)))


def values() -> list[tuple[int, float]]:
    return [(row["number"], row["value"]) for row in json.loads(results.FILE.read_text())["rows"]]


def test_all_rows_of_a_number_are_replaced_together() -> None:
    results.PARTIAL.write_text(document("2026-01-03", (2, 9.0)))
    results.update()
    assert values() == [(1, 1.0), (2, 9.0)]


@pytest.mark.parametrize(
    ("date", "changes", "why"),
    [
        ("2026-01-01", {}, "older"),
        ("2026-01-03", {"machine": MACHINE | {"cores": 64}}, "cores"),
        ("2026-01-03", {"versions": {"engine": "29"}}, "versions"),
    ],
)
def test_what_can_not_be_compared_changes_nothing(date: str, changes: dict[str, Any], why: str) -> None:
    results.PARTIAL.write_text(document(date, (2, 9.0), **changes))
    with pytest.raises(BenchFailed, match=why):
        results.update()
    assert values() == [(1, 1.0), (2, 2.0), (2, 2.5)]
