"""How much a task may ask for."""

from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.policy.ceilings import check_ceilings
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
