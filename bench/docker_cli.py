"""The engine by its command line, as a person would use it: the rival, and the sweep at the end."""

import subprocess
import time

from bench.failed import BenchFailed

IMAGE = "air-executor-runner:latest"
LABEL = "air-executor-bench"
"""On every container that a rival starts, with a value of the measurement's own."""
SECONDS_TO_SWEEP = 20.0
STEP = 0.2
"""Seconds between two tries."""


def docker(*arguments: str) -> str:
    """Run `docker …` and return what it printed. Raises BenchFailed with its complaint."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchFailed(f"`docker {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def seconds_to_run_true(label: str) -> float:
    """Seconds for one `docker run --rm` of `true`; `label` (`key=value`) is for `sweep`."""
    began = time.perf_counter()
    docker("run", "--rm", "--label", label, IMAGE, "true")
    return time.perf_counter() - began


def sweep(label: str) -> None:
    """Remove every container with this label (`key=value`). Raises BenchFailed when some stay.

    A manager that was just stopped may be removing some as well, which the engine answers with an error: so
    what counts is that none is left.
    """
    deadline = time.monotonic() + SECONDS_TO_SWEEP
    while found := docker("ps", "--all", "--quiet", "--filter", f"label={label}").split():
        try:
            docker("rm", "--force", "--volumes", *found)
        except BenchFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(STEP)
