"""What a dependent step costs: a chain in one job beside `docker run` one after the other."""

import secrets
import time
from collections.abc import Iterator

from bench.docker_cli import IMAGE, LABEL, docker, sweep
from bench.figures import Row, Sample
from bench.own_manager import own_manager, seconds_for

LENGTH = 20
ROUNDS = 3

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
                rival.append(_docker_runs(label))
        finally:
            sweep(label)
        what, against = f"a job of {LENGTH} × `true` in a chain", f"{LENGTH} × `docker run --rm`"
        yield Row(what, Sample(tuple(ours)), against, Sample(tuple(rival)), goal=1.0)


def _docker_runs(label: str) -> float:
    """Seconds for all of them."""
    began = time.perf_counter()
    for _ in range(LENGTH):
        docker("run", "--rm", "--label", label, IMAGE, "true")
    return time.perf_counter() - began
