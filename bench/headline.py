"""`python -m bench.headline`: put the figures of `results.json` into README.md.

With `--update`, rows that were measured again by themselves (`results.partial.json`) replace theirs first.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from bench import results
from bench.results import FILE

README = Path(__file__).parent.parent / "README.md"
PLACE = re.compile(r"(?<=<!-- bench -->\n).*(?=<!-- /bench -->)", re.DOTALL)

LINES = (
    (1, "times faster", "a task is ready → its command runs, in a container made ahead"),
    (2, "first command runs", "a job's folder appears → its first command runs"),
    (3, "dependant's command runs", "a task ends → the next one's command runs"),
    (4, "in a chain", "a job of 20 × `true` in a chain"),
    (5, "in one job", "200 × `true` in one job"),
    (8, "demo DAG, start to end", "the demo DAG: `echo`, `sleep 3`, `echo`"),
    (9, "from Airflow", "ten × `true` in a chain, from Airflow"),
)
"""Row of bench/README.md, the end of its measure's name (but for its parameters), and what people call it."""


def table(document: dict[str, Any]) -> str:
    """The table, and the machine, as README.md has them."""
    found = [(what, _row(document["rows"], number, name)) for number, name, what in LINES]
    lines = [f"| {what} | {_sample(row['ours'])} | {_beside(row)} |" for what, row in found if row]
    machine, versions = document["machine"], document["versions"]
    where = (
        f"Medians of `make bench` on {machine['cores']} cores, {machine['memory_gib']} GiB, Linux "
        f"{machine['kernel']},\nDocker Engine {versions['engine']}, Airflow {versions['airflow']}, "
        f"{document['date'][:10]}. All rows, also of goals that are missed, are in\n"
        "[bench/results.json](bench/results.json); [bench/README.md](bench/README.md) says what they mean.\n"
    )
    return "\n".join(["| | Air-Executor | beside |", "|---|---:|---|", *lines, "", where])


def _row(rows: list[dict[str, Any]], number: int, name: str) -> dict[str, Any] | None:
    """The row that has a goal, where several measure the same."""
    named = [row for row in rows if row["number"] == number and name in row["measure"] and row["goal"]]
    return named[-1] if named else None


def _sample(sample: dict[str, Any]) -> str:
    median = sample["median"]
    return f"{median:.{0 if median >= 100 else 1}f} {sample['unit']}".replace(" /s", " per second")


def _beside(row: dict[str, Any]) -> str:
    if not row["rival"]:
        return ""
    figure = row["ours"]["median"] / row["rival"]["median"]
    faster = figure < 1 and row["ours"]["unit"] != "/s"
    ratio = f"{1 / figure:.1f} × faster" if faster else f"{100 * figure:.0f} %"
    return f"{row['beside']}: {_sample(row['rival'])} ({ratio})"


def main() -> None:
    """Replace what stands between the two marks."""
    parser = argparse.ArgumentParser(prog="python -m bench.headline", description="README.md's figures.")
    parser.add_argument("--update", action="store_true", help="take in results.partial.json")
    if parser.parse_args().update:
        results.update()
    text = README.read_text()
    README.write_text(PLACE.sub(lambda _: table(json.loads(FILE.read_text())), text))


if __name__ == "__main__":
    main()
