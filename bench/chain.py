"""What a dependent step costs: a chain in one job beside `docker run` one after the other."""

import secrets
from collections.abc import Iterator

from bench.docker_cli import LABEL, seconds_to_run_true, sweep
from bench.figures import Goal, Row, Sample, ratio_row
from bench.own_manager import own_manager, seconds_for

LENGTH = 20
ROUNDS = 3
GOAL = Goal("≤", 1 / 3)

TASKS = [
    {"id": f"step-{number}", "command": "true", "dependencies": [f"step-{number - 1}"] if number else []}
    for number in range(LENGTH)
]


def measure() -> Iterator[Row]:
    """Ours and the rival in turn, so that both meet the same weather."""
    ours: list[float] = []
    rival: list[float] = []
    label = f"{LABEL}={secrets.token_hex(8)}"
    with own_manager() as client:
        try:
            for number in range(ROUNDS):
                ours.append(seconds_for(client, f"chain-{number}", TASKS))
                rival.append(sum(seconds_to_run_true(label) for _ in range(LENGTH)))
        finally:
            sweep(label)
    what, against = f"a job of {LENGTH} × `true` in a chain", f"{LENGTH} × `docker run --rm`"
    yield ratio_row(what, Sample(tuple(ours)), against, Sample(tuple(rival)), GOAL).numbered(4)
