"""How much of the host a task may ask for, and how many runners a job may hold."""

import pytest

from air_executor.errors import BadInput
from manager.core.policy.ceilings import check_host, job_runners
from manager.model.values import Host
from tests.unit.manager.builders import settings, task


@pytest.mark.parametrize(("cpus", "host"), [(None, 1), (2.0, 2), (0.5, 1), (64.0, float("inf"))])
def test_a_task_may_ask_for_as_many_cpus_as_the_host_has_or_any_where_that_is_not_known(
    cpus: float | None, host: float
) -> None:
    check_host(task("a", resources={"cpus": cpus}), Host(cpus=host))


def test_more_cpus_than_the_host_has_are_refused_with_its_number() -> None:
    with pytest.raises(
        BadInput, match=r"tasks\[1\]\.resources\.cpus: 2.5 is more than the host has .* 2 CPUs"
    ):
        check_host(task("a", resources={"cpus": 2.5}), Host(cpus=2), "tasks[1].")


@pytest.mark.parametrize(
    ("max_runners", "share", "expected"),
    [(1, 0, 1), (2, 0, 2), (3, 0, 2), (10, 0, 9), (10, 4, 4), (10, 10, 9)],
)
def test_what_tasks_queue_leaves_one_runner_to_other_jobs_and_what_was_written_need_not(
    max_runners: int, share: int, expected: int
) -> None:
    rules = settings(max_runners=max_runners, job_runners=share)
    queued = task("a").model_copy(update={"parent": "b"})
    assert job_runners(queued, rules) == expected
    assert job_runners(task("a"), rules) == (share or max_runners)
