"""What the tasks themselves say of their executions, past all that the manager records."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Line:
    """`begin` or `end` of one execution; the nonce tells executions of one attempt apart."""

    what: str
    task: str
    attempt: int
    nonce: str
    at: str


def read(file: Path) -> list[Line]:
    """The lines in the order in which they were written; none where nothing has begun."""
    if not file.exists():
        return []
    words = [line.split() for line in file.read_text().splitlines()]
    return [Line(what, task, int(attempt), nonce, at) for what, task, attempt, nonce, at in words]


def doubled(lines: Sequence[Line]) -> list[str]:
    """Attempts that began more than once."""
    begins = [(line.task, line.attempt) for line in lines if line.what == "begin"]
    return [
        f"attempt {number} of task {task} ran {begins.count((task, number))} times"
        for task, number in sorted(set(begins))
        if begins.count((task, number)) > 1
    ]


def overlapping(lines: Sequence[Line]) -> list[str]:
    """Executions that were still at work when another one of the same task had begun.

    Told by the order of the lines, not by their times: a clock may be set.
    """
    latest: dict[str, str] = {}
    found = []
    for line in lines:
        if line.what == "begin":
            latest[line.task] = line.nonce
        elif latest.get(line.task) != line.nonce:
            found.append(f"an execution of task {line.task} went on beside a later one, until {line.at}")
    return found
