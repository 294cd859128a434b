"""FAULTS 21: somebody sets the clock a day forward or back, while a manager runs or between two of them."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from air_executor import Attempt, JobView, Task, daemon
from air_executor.failpoints import VARIABLE, Failpoint
from tests.real_manager import RealManager, idle_manager
from tests.waiting import until

DAY = 86_400.0
TIMEOUT = 6
LATE = 8
"""Seconds that a task may be ended after its timeout: most of it is for machines that are busy."""
PATIENCE = 60
ON = "echo on; while :; do sleep 0.1; done"


def sh(task_id: str, script: str, **fields: object) -> dict[str, object]:
    return {"id": task_id, "command": "sh", "args": ["-c", script], "network": "none"} | fields


@dataclass
class Clocked:
    """A manager, and the file that its clock goes wrong by."""

    manager: RealManager
    offset: Path

    def jump(self, seconds: float) -> None:
        ahead = self.offset.with_name("ahead")
        ahead.write_text(str(seconds))
        ahead.rename(self.offset)

    def wrong_by(self) -> float:
        """Seconds between what the manager takes for the time and what it is."""
        status = daemon.read_status(self.manager.home)
        return status.updated_at.timestamp() - time.time() if status is not None else 0

    def begin(self) -> float:
        """Two jobs at work, one of them until its timeout; since when, by a clock that nobody sets."""
        self.manager.client.create_job("overdue", [sh("a", ON, timeout=TIMEOUT)])
        self.manager.client.create_job(
            "steady",
            [sh("a", f"echo on; sleep {TIMEOUT}; echo off"), sh("b", "echo b", dependencies=["a"])],
        )
        for name in ("overdue", "steady"):
            log = self.manager.client.log_file(name, "a")
            until(lambda log=log: log.exists() and log.read_text(), PATIENCE)  # type: ignore[misc]
            until(lambda name=name: self.task(name).status == "running", PATIENCE)  # type: ignore[misc]
        return time.monotonic() - (time.time() - self.started_at("overdue"))

    def task(self, name: str) -> Task:
        return self.manager.client.status(name).tasks[0]

    def started_at(self, name: str) -> float:
        """By the engine's clock, which is right."""
        started = self.task(name).started_at
        assert started is not None
        return started.timestamp()


@pytest.fixture
def clocked(tmp_path: Path, on_failure: Callable[..., None]) -> Iterator[Clocked]:
    with idle_manager() as manager:
        clocked = Clocked(manager, tmp_path / "offset")
        clocked.jump(0)
        manager.command = [
            sys.executable,
            "-m",
            "tests.faults.launched_with",
            "clock",
            str(clocked.offset),
        ]
        on_failure("the manager and its containers", manager.evidence)
        manager.start()
        yield clocked
        manager.stop()


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["a day forward", "a day back"])
@pytest.mark.parametrize("between", [False, True], ids=["while it runs", "between two managers"])
def test_a_clock_that_jumps_ends_no_task_early_or_late_and_tells_nothing_wrong(
    clocked: Clocked, jump: float, between: bool
) -> None:
    manager = clocked.manager
    began = clocked.begin()
    if between:
        manager.kill()
    clocked.jump(jump)
    if between:
        manager.start()
    until(lambda: abs(clocked.wrong_by() - jump) < 60, PATIENCE)
    overdue = manager.client.wait("overdue", timeout=PATIENCE)
    assert time.monotonic() - began < TIMEOUT + LATE
    check_timeout(overdue)
    steady = manager.client.wait("steady", timeout=PATIENCE)
    assert steady.state == "completed"
    assert manager.client.log_file("steady", "a").read_text() == "on\noff\n"
    for view in (overdue, steady):
        check_times(view)
    manager.client.create_job("after", [sh("a", "echo after")])
    assert manager.client.wait("after", timeout=PATIENCE).state == "completed"
    until(lambda: not manager.containers(), PATIENCE)
    assert [line for line in manager.output().splitlines() if unexpected(line)] == []


def test_the_time_that_passes_while_no_manager_runs_counts_whatever_its_clock_says(clocked: Clocked) -> None:
    began = clocked.begin()
    clocked.manager.kill()
    clocked.jump(-DAY)
    until(lambda: time.monotonic() > began + TIMEOUT, PATIENCE)
    clocked.manager.start()
    check_timeout(clocked.manager.client.wait("overdue", timeout=LATE))


def test_a_start_that_no_manager_recorded_is_not_taken_for_one_of_yesterday(clocked: Clocked) -> None:
    manager = clocked.manager
    manager.stop()
    manager.launch(**{VARIABLE: Failpoint.STARTED_UNRECORDED})
    made = manager.client.create_job("overdue", [sh("a", ON, timeout=TIMEOUT)]).job.created_at
    assert manager.wait_for_its_end(PATIENCE) == -signal.SIGKILL
    clocked.jump(DAY)
    manager.start()
    (task,) = manager.client.wait("overdue", timeout=PATIENCE).tasks
    assert task.failure is not None and task.failure.cause == "timeout"
    finished = task.attempts[0].timings.finished_at
    assert finished is not None and (finished - made).total_seconds() >= TIMEOUT


def check_timeout(view: JobView) -> None:
    (task,) = view.tasks
    assert task.failure is not None and task.failure.cause == "timeout"
    (attempt,) = task.attempts
    ran = attempt.timings.ran_ms
    assert ran is not None and TIMEOUT * 1000 <= ran < (TIMEOUT + LATE) * 1000


def check_times(view: JobView) -> None:
    assert view.job.created_at <= view.job.updated_at
    for task in view.tasks:
        assert task.started_at is not None and task.completed_at is not None
        assert task.started_at <= task.completed_at
        (attempt,) = task.attempts
        check_order(attempt)


def check_order(attempt: Attempt) -> None:
    """What the engine tells is in its order; so is what the manager adds after it."""
    told = attempt.timings
    assert told.created_at is not None and told.started_at is not None
    assert told.finished_at is not None and told.recorded_at is not None
    assert told.created_at <= told.started_at <= told.finished_at <= told.recorded_at


def unexpected(line: str) -> bool:
    """Whether the manager complains; that the one job failed for its timeout is as it should be."""
    complains = any(word in line for word in (" WARNING ", " ERROR ", " CRITICAL ", "Traceback"))
    return complains and "longer than its timeout" not in line
