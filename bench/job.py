"""The demo's job without Airflow: what the manager and the engine add to its 3 seconds of sleep."""

from collections.abc import Iterator

from bench.figures import Row, Sample
from bench.own_manager import own_manager, seconds_for

SLEEP = 3.0
GOAL = 1.0
"""Seconds that may be added."""
ROUNDS = 3

TASKS = [
    {"id": "greet", "command": "echo", "args": ["Hello"]},
    {"id": "process", "command": "sleep", "args": [f"{SLEEP:g}"], "dependencies": ["greet"]},
    {"id": "complete", "command": "echo", "args": ["done"], "dependencies": ["process"]},
]


def measure() -> Iterator[Row]:
    """First with a manager that was started just now, then again and again."""
    with own_manager() as client:
        cold = Sample((seconds_for(client, "cold", TASKS),))
        again = Sample(tuple(seconds_for(client, f"again-{number}", TASKS) for number in range(ROUNDS)))
        asleep = Sample((SLEEP,))
        yield Row("demo job, right after the manager's start", cold, "its sleep", asleep, GOAL, "overhead")
        yield Row("demo job, once more", again, "its sleep", asleep, GOAL, "overhead")
