"""The demo's job without Airflow: what the manager and the engine add to its 3 seconds of sleep."""

from collections.abc import Iterator

from bench.figures import Goal, Row, Sample, median_row
from bench.own_manager import own_manager, seconds_for

SLEEP = 3.0
GOAL = Goal("≤", 3.2)
ROUNDS = 3

TASKS = [
    {"id": "greet", "command": "echo", "args": ["Hello"]},
    {"id": "process", "command": "sleep", "args": [f"{SLEEP:g}"], "dependencies": ["greet"]},
    {"id": "complete", "command": "echo", "args": ["done"], "dependencies": ["process"]},
]


def measure() -> Iterator[Row]:
    """First with a manager that was started just now, which has no goal; then again and again."""
    with own_manager() as client:
        cold = Sample((seconds_for(client, "cold", TASKS),))
        again = Sample(tuple(seconds_for(client, f"again-{number}", TASKS) for number in range(ROUNDS)))
    what = "echo, sleep 3, echo: `create_job` until `wait` returns"
    yield median_row(f"{what}, right after the manager's start", cold).numbered(7)
    yield median_row(what, again, GOAL).numbered(7)
