"""Whether the operator allows a job."""

import pytest

from air_executor.errors import BadInput
from air_executor.policy import Policy, check_count, check_tasks
from tests.unit.manager.builders import OWNER, settings, task


def test_each_task_is_checked_with_its_place() -> None:
    with pytest.raises(BadInput, match=r"tasks\[1\]\.timeout: .*setting `max_timeout`"):
        check_tasks([task("a"), task("b", timeout=61.0)], OWNER, settings(max_timeout=60.0))


def test_a_job_has_no_more_tasks_than_the_operator_allows() -> None:
    tasks = [task("a"), task("b")]
    check_count(tasks, Policy(max_tasks=2))
    with pytest.raises(BadInput, match=r"tasks: the job has 2 tasks, the limit is max_tasks = 1$"):
        check_tasks(tasks, OWNER, Policy(max_tasks=1))


def test_what_a_manager_does_not_tell_of_it_decides_by_itself() -> None:
    greedy = task("a", resources={"memory_mb": 1 << 20, "cpus": 1024.0, "pids": 1 << 22}, timeout=1e300)
    check_tasks([greedy] * 1000, OWNER, Policy())
