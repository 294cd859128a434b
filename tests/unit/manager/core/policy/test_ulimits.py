"""Limits of a task's processes: what it may set, and what it gets."""

from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.policy.ulimits import check_ulimits
from manager.core import policy
from manager.core.policy.ulimits import granted_ulimits
from tests.unit.manager.builders import settings, task

RULES = {"open_files": 1000, "job_disk_mb": 1, "ulimits": {"memlock": 4096, "cpu": 60}}


@pytest.mark.parametrize(
    "ulimits",
    [
        {},
        {"nofile": 1000},
        {"fsize": 1 << 20},
        {"core": 0},
        {"memlock": 4096},
        {"cpu": 60},
        {"stack": 1 << 40},
        {"data": {"soft": 1 << 30, "hard": 1 << 40}},
    ],
    ids=str,
)
def test_what_a_task_may_set(ulimits: dict[str, Any]) -> None:
    check_ulimits(task("a", ulimits=ulimits), settings(**RULES))


@pytest.mark.parametrize(
    ("ulimits", "words"),
    [
        ({"nofile": 1001}, "nofile: 1001 is more .* 1000 .setting `open_files`"),
        ({"nofile": {"soft": 100, "hard": 1001}}, "nofile: 1001"),
        ({"fsize": (1 << 20) + 1}, "fsize: .* 1048576 .setting `job_disk_mb`"),
        ({"core": 1}, "core: 1 is more .* 0 .setting `ulimits`"),
        ({"memlock": 4097}, "memlock: 4097 is more .* 4096 .setting `ulimits`"),
        ({"cpu": 61}, "cpu: 61 is more .* 60 .setting `ulimits`"),
        ({"rtprio": 1}, "rtprio: 1 is more .* 0"),
        ({"nice": 21}, "nice: 21 is more .* 0"),
    ],
    ids=str,
)
def test_more_is_refused_with_field_and_setting(ulimits: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=rf"tasks\[1\]\.ulimits\.{words}"):
        check_ulimits(task("a", ulimits=ulimits), settings(**RULES), "tasks[1].")


def test_what_was_taken_by_older_settings_gets_no_more_than_those_of_today_allow() -> None:
    of = task("a", ulimits={"nofile": {"soft": 500, "hard": 9000}, "core": 77, "stack": 1 << 40})
    assert granted_ulimits(of, settings(**RULES)) == {
        "nofile": (500, 1000),
        "core": (0, 0),
        "stack": (1 << 40, 1 << 40),
    }


def test_who_sets_one_gets_no_warm_container_and_who_sets_none_does() -> None:
    assert policy.is_usual(task("a"), settings())
    assert not policy.is_usual(task("a", ulimits={"nofile": 100}), settings())
