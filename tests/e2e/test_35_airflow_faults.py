"""What becomes of a job when the Airflow tasks around it are killed, cleared, timed out, or die."""

import contextlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from stack import Stack

from air_executor import JobNotFound, JobView, TaskStatus
from air_executor.airflow_api import AirflowNotFound, AirflowUnavailable
from air_executor.format import names

pytestmark = pytest.mark.timeout(600)


@dataclass
class Case:
    """One run of one of the DAGs in dags/e2e_faults.py."""

    stack: Stack
    dag: str
    run_id: str

    @classmethod
    def begin(cls, stack: Stack, fault: str) -> "Case":
        """Start a run; asked twice, as when the first answer was late, there is still only one."""
        case = cls(stack, f"e2e_{fault}", f"fault-{secrets.token_hex(4)}")

        def is_there() -> bool:
            try:
                stack.api.run(case.dag, case.run_id)
            except AirflowNotFound:
                stack.api.trigger(case.dag, case.run_id)
            return True

        case.until(is_there, "the run is there")
        return case

    def name(self, number: int = 1) -> str:
        """The name of the `number`th job that this run's create task asks for."""
        return names.successor(f"airflow~{self.dag}~{self.run_id}~create", number)

    def job(self, number: int = 1) -> JobView:
        return self.stack.job(self.name(number))

    def jobs(self) -> list[str]:
        """The jobs of this run, whatever they are called."""
        views = (view for view in self.stack.client.jobs() if isinstance(view, JobView))
        return [view.name for view in views if view.job.request and view.job.request.run_id == self.run_id]

    def let_go(self, number: int = 1) -> None:
        """Let the task of the job come to its end."""
        (self.stack.home / "jobs" / self.name(number) / "work" / "go").touch()

    def ended(self, number: int = 1) -> JobView:
        return self.stack.client.wait(self.name(number), timeout=60)

    def instance(self, task: str) -> dict[str, Any]:
        return self.stack.instance(self.dag, self.run_id, task)

    def log(self, task: str, try_number: int = 1) -> str:
        return self.stack.api.log(self.dag, self.run_id, task, try_number)

    def clear(self, task: str) -> None:
        self.stack.clear(self.dag, self.run_id, task)

    def finish(self) -> str:
        """The state of the run once it has ended."""
        return self.stack.finish(self.dag, self.run_id).state

    def process(self, task: str) -> int:
        """The id of the task's process in Airflow's container; its parent is a worker of the executor."""
        pid: int = self.instance(task)["pid"]
        return pid

    def until_job_runs(self, number: int = 1) -> None:
        def runs() -> bool:
            try:
                return any(task.status is TaskStatus.RUNNING for task in self.job(number).tasks)
            except JobNotFound:
                return False

        self.until(runs, f"a task of job {self.name(number)} runs")

    def until_it_waits(self, try_number: int = 1) -> None:
        """Until the wait task has logged progress: its process is there to be killed."""

        def waits() -> bool:
            about = self.instance("wait")
            running = about["state"] == "running" and about["try_number"] == try_number
            return running and "📊 Job" in self.log("wait", try_number)

        self.until(waits, f"try {try_number} of the wait task waits")

    def until(self, what: Callable[[], object], sentence: str) -> None:
        deadline = time.monotonic() + 120
        while True:
            # With so much going on at once the API server may be too busy to answer in time.
            with contextlib.suppress(AirflowUnavailable):
                if what():
                    return
            assert time.monotonic() < deadline, f"{self.dag}: not within 120 s: {sentence}"
            time.sleep(0.2)


def mark_wait_failed(case: Case) -> None:
    case.until_it_waits()
    case.stack.mark_failed(case.dag, case.run_id, "wait")


def clear_wait(case: Case) -> None:
    case.until_it_waits()
    case.clear("wait")


def clear_create_after_it(case: Case) -> None:
    case.until_it_waits()
    case.clear("create")


def clear_create_midway(case: Case) -> None:
    case.until_job_runs()
    case.clear("create")


def kill_wait(case: Case) -> None:
    case.until_it_waits()
    kill(case.stack, case.process("wait"))


def kill_worker(case: Case) -> None:
    case.until_it_waits()
    waiting = case.process("wait")
    status = case.stack.in_airflow(f"cat /proc/{waiting}/status")
    parent = re.search(r"PPid:\s*(\d+)", status)
    assert parent, status
    kill(case.stack, int(parent[1]))
    # The task's own process has nobody to report to any more, and ends at its next line.
    left = f"ls -d /proc/{waiting} 2>/dev/null"
    case.until(lambda: case.stack.in_airflow(left) == "", "the task's process ends")


def kill_create(case: Case) -> None:
    case.until_job_runs()
    kill(case.stack, case.process("create"))


def let_time_pass(case: Case) -> None:
    """The timeout does it."""


def let_go_at_the_retry(case: Case) -> None:
    case.until(lambda: case.instance("wait")["try_number"] > 1, "the wait task is tried again")
    assert not case.job().state.ended
    case.let_go()


def kill(stack: Stack, pid: int) -> None:
    """As the kernel does when memory is short."""
    said = stack.in_airflow(f"kill -9 {pid}")
    assert said == "", said


FAULTS: dict[str, Callable[[Case], None]] = {
    # Slow ones first: they go on while the others are struck and looked at.
    "worker_dies": kill_worker,
    "overdue": let_time_pass,
    "timed_out": let_time_pass,
    "timed_out_left": let_time_pass,
    "create_cleared_midway": clear_create_midway,
    "create_cleared": clear_create_after_it,
    "create_dies": kill_create,
    "killed": mark_wait_failed,
    "killed_left": mark_wait_failed,
    "wait_cleared": clear_wait,
    "wait_dies": kill_wait,
    "overdue_left": let_go_at_the_retry,
}


@pytest.fixture(scope="module")
def struck(stack: Stack) -> dict[str, Case]:
    """A run for each fault, and the fault done to it. They go on side by side."""
    cases = {fault: Case.begin(stack, fault) for fault in FAULTS}
    for fault, strike in FAULTS.items():
        strike(cases[fault])
    return cases


def ran_once_and_nothing_is_left(case: Case) -> None:
    """The run had one job; its task was run once, by the record and by what it wrote itself."""
    assert case.jobs() == [case.name()]
    job = case.job()
    assert (job.state, [len(task.attempts) for task in job.tasks]) == ("completed", [1])
    runs = case.stack.home / "jobs" / case.name() / "work" / "runs"
    assert runs.read_text() == "run\n"
    nothing_is_left(case)


def was_cancelled_and_nothing_is_left(case: Case) -> None:
    assert case.jobs() == [case.name()]
    job = case.ended()
    assert (job.state, job.job.failure.cause) == ("failed", "cancelled")
    nothing_is_left(case)


def nothing_is_left(case: Case) -> None:
    assert [name for job in case.jobs() for name in case.stack.containers_of(job)] == []


def test_a_wait_that_is_marked_failed_is_killed_and_cancels_its_job(struck):
    case = struck["killed"]
    assert case.ended().state == "failed"
    assert case.finish() == "failed"
    assert case.instance("wait")["try_number"] == 1
    assert "This task was killed: cancelling job" in case.log("wait")
    was_cancelled_and_nothing_is_left(case)


def test_told_to_leave_it_a_killed_wait_lets_the_job_go_on_and_finds_it_when_cleared(struck):
    case = struck["killed_left"]
    case.until(lambda: "goes on (on_kill='leave')" in case.log("wait"), "the wait task was killed")
    assert not case.job().state.ended
    case.clear("wait")
    case.until_it_waits(try_number=2)
    case.let_go()
    assert case.finish() == "success"
    ran_once_and_nothing_is_left(case)


def test_a_wait_that_is_cleared_while_it_waits_finds_its_job_again(struck):
    case = struck["wait_cleared"]
    case.until_it_waits(try_number=2)
    case.let_go()
    assert case.finish() == "success"
    assert "goes on (on_kill='leave')" in case.log("wait")
    ran_once_and_nothing_is_left(case)


def test_a_wait_past_its_execution_timeout_cancels_its_job(struck):
    case = struck["overdue"]
    assert case.finish() == "failed"
    was_cancelled_and_nothing_is_left(case)


def test_told_to_leave_it_a_wait_past_its_execution_timeout_finds_its_job_at_its_retry(struck):
    case = struck["overdue_left"]
    assert case.finish() == "success"
    ran_once_and_nothing_is_left(case)


def test_told_to_cancel_it_a_wait_past_its_own_timeout_cancels_its_job_and_is_not_retried(struck):
    case = struck["timed_out"]
    assert case.finish() == "failed"
    assert case.instance("wait")["try_number"] == 1
    was_cancelled_and_nothing_is_left(case)


def test_a_wait_past_its_own_timeout_leaves_its_job_and_finds_it_when_cleared(struck):
    case = struck["timed_out_left"]
    assert case.finish() == "failed"
    assert case.instance("wait")["try_number"] == 1
    assert not case.job().state.ended
    case.let_go()
    case.ended()
    case.clear("wait")
    assert case.finish() == "success"
    ran_once_and_nothing_is_left(case)


def test_a_wait_whose_process_dies_finds_its_job_at_its_retry(struck):
    case = struck["wait_dies"]
    case.until_it_waits(try_number=2)
    case.let_go()
    assert case.finish() == "success"
    ran_once_and_nothing_is_left(case)


def test_a_create_whose_process_dies_finds_the_job_that_it_made_at_its_retry(struck):
    case = struck["create_dies"]
    case.until_it_waits()
    assert case.instance("create")["try_number"] == 2
    case.let_go()
    assert case.finish() == "success"
    ran_once_and_nothing_is_left(case)


@pytest.mark.parametrize("fault", ["create_cleared", "create_cleared_midway"])
def test_a_cleared_create_cancels_its_live_job_and_makes_a_fresh_one(struck, fault):
    case = struck[fault]
    assert case.ended().job.failure.cause == "cancelled"
    case.until_job_runs(number=2)
    case.let_go(number=2)
    assert case.finish() == "success"
    assert case.jobs() == [case.name(), case.name(2)]
    first, second = case.job(), case.job(2)
    assert first.tasks[0].completed_at <= second.job.created_at, "there were two at once"
    assert (first.job.request.generation, second.job.request.generation) == (0, 1)
    assert f"Job Name: {case.name(2)}" in case.log("results", case.instance("results")["try_number"])
    nothing_is_left(case)


def test_a_wait_whose_worker_dies_finds_its_job_at_its_retry(struck):
    case = struck["worker_dies"]
    case.until_it_waits(try_number=2)
    case.let_go()
    assert case.finish() == "success"
    ran_once_and_nothing_is_left(case)


def test_when_airflow_dies_the_job_goes_on_and_is_found_when_airflow_is_back(struck, stack):
    case = Case.begin(stack, "airflow_dies")
    case.until_it_waits()
    # The container ends when supervise.py does. (After `docker kill` Docker would not start it again.)
    before = stack.started_at("airflow")
    stack.in_airflow("kill -9 $(cat /proc/1/task/1/children)")
    case.let_go()
    assert case.ended().state == "completed"
    case.until(lambda: stack.started_at("airflow") != before, "Docker starts the container again")
    case.until(lambda: stack.health("airflow") == "healthy", "Airflow is back")
    assert case.finish() == "success"
    assert case.instance("wait")["try_number"] > 1
    ran_once_and_nothing_is_left(case)
