"""How much a task may ask for, and how many runners a job may hold."""

from typing import Any

import pytest

from air_executor.errors import BadInput
from manager.core.policy.ceilings import check_ceilings, check_host, job_runners
from manager.model.values import Host
from tests.unit.manager.builders import settings, task

CEILINGS = {"max_memory_mb": 100, "max_cpus": 2.0, "max_pids": 50, "max_timeout": 60.0, "max_retries": 3}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"resources": {"memory_mb": 100, "cpus": 2.0, "pids": 50}, "timeout": 60.0, "retries": 3},
        {"retries": 0},
    ],
    ids=str,
)
def test_a_task_may_ask_for_as_much_as_the_ceilings(fields: dict[str, Any]) -> None:
    check_ceilings(task("a", **fields), settings(**CEILINGS))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"resources": {"memory_mb": 101}},
            "resources.memory_mb: 101 is more .* 100 .setting `max_memory_mb`",
        ),
        ({"resources": {"cpus": 2.5}}, "resources.cpus: 2.5 is more .* 2 .setting `max_cpus`"),
        ({"resources": {"pids": 51}}, "resources.pids: 51 is more .* 50 .setting `max_pids`"),
        ({"timeout": 61.0}, "timeout: 61 is more .* 60 .setting `max_timeout`"),
        ({"timeout": 1e300}, "timeout: 1e.300 is more .* 60 .setting `max_timeout`"),
        ({"retries": 4}, "retries: 4 is more .* 3 .setting `max_retries`"),
        ({"retries": {"max": 4}}, "retries: 4 is more .* 3 .setting `max_retries`"),
    ],
    ids=str,
)
def test_more_is_refused_with_field_and_setting(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=rf"tasks\[1\]\.{words}"):
        check_ceilings(task("a", **fields), settings(**CEILINGS), "tasks[1].")


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
