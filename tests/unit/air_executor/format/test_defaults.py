"""What a job says for all of its tasks."""

from typing import Any

import pytest

from air_executor import Client, TaskSpec
from air_executor.client import read_document
from air_executor.errors import BadInput
from air_executor.format.defaults import filled_in, read_defaults, with_defaults
from air_executor.format.models import Task
from tests.unit.air_executor.builders import NOON

DEFAULTS = {
    "timeout": 60.0,
    "env": {"A": "1", "B": "1"},
    "labels": {"x": "1"},
    "retries": 2,
    "_why": "comment",
}


def spec(**fields: Any) -> TaskSpec:
    task = TaskSpec.model_validate({"id": "a", "command": "true"} | fields)
    return with_defaults(task, read_defaults(DEFAULTS))


def test_what_a_task_does_not_say_it_takes_over() -> None:
    made = spec()
    assert (made.timeout, made.env, made.labels) == (60, {"A": "1", "B": "1"}, {"x": "1"})
    assert made.retries is not None and made.retries.max == 2


def test_what_it_says_itself_stays_also_where_that_is_what_all_have() -> None:
    made = spec(timeout=None, env={"B": "2", "C": "2"}, labels={}, retries=0)
    assert (made.timeout, made.env, made.labels) == (None, {"A": "1", "B": "2", "C": "2"}, {"x": "1"})
    assert made.retries is not None and made.retries.max == 0


def test_limits_are_taken_over_one_by_one() -> None:
    usual = read_defaults({"resources": {"memory_mb": 100, "cpus": 2.0}})
    task = TaskSpec.model_validate({"id": "a", "command": "true", "resources": {"cpus": 1.0}})
    made = with_defaults(task, usual).resources
    assert (made.memory_mb, made.cpus, made.pids) == (100, 1.0, None)
    raw = filled_in({"id": "a", "command": "true", "resources": {"cpus": 1.0}}, usual)
    assert TaskSpec.model_validate(raw).resources == made


def test_a_task_may_leave_its_command_to_the_image_that_all_have() -> None:
    job = {"name": "job", "defaults": {"image": "debian:13"}}
    _, (made,) = read_document({"job": job, "tasks": [{"id": "a"}]})
    assert (made.command, made.image) == (None, "debian:13")


def test_what_is_said_in_two_places_has_to_fit_together() -> None:
    usual = read_defaults({"env": {"PASSWORD": "1"}})
    task = TaskSpec.model_validate({"id": "a", "command": "true", "secret_env": {"PASSWORD": "db"}})
    with pytest.raises(BadInput, match=r"^tasks\[0\]: secret_env: 'PASSWORD' is in env as well"):
        with_defaults(task, usual, "tasks[0]")


@pytest.mark.parametrize("name", ["id", "command", "args", "dependencies"])
def test_what_is_each_tasks_own_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=rf"^job\.defaults\.{name}: is each task's own"):
        read_defaults({name: "x"})


@pytest.mark.parametrize(
    ("defaults", "complaint"),
    [
        ({"timeout": "1"}, "job.defaults.timeout: "),
        ({"timeuot": 1}, "job.defaults.timeuot: "),
        ({"image": "-x"}, "job.defaults.image: "),
        ({"env": {"A=B": "1"}}, "job.defaults: env: "),
        ({"status": "completed"}, "job.defaults.status: "),
    ],
)
def test_what_is_wrong_is_named_where_it_stands(defaults: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_defaults(defaults)
    assert str(refused.value).startswith(complaint)


def test_together_they_may_be_more_than_a_kernel_takes() -> None:
    job = {"name": "job", "defaults": {"env": {f"A{number}": "x" * 100_000 for number in range(12)}}}
    task = {"id": "a", "command": "true", "env": {f"B{number}": "x" * 100_000 for number in range(12)}}
    with pytest.raises(BadInput, match=r"^tasks\[0\]: env: has "):
        read_document({"job": job, "tasks": [task]})


def test_the_tasks_of_a_job_are_written_with_them_and_the_job_without(tmp_path: Any) -> None:
    client = Client(tmp_path)
    view = client.create_job("job", [{"id": "a", "command": "true"}], defaults=DEFAULTS)
    assert view.tasks[0].timeout == 60 and view.job.defaults is None
    assert client.status("job") == view


def test_in_a_file_written_by_hand_what_stands_there_is_what_it_says() -> None:
    task = Task.model_validate({"id": "a", "command": "true", "timeout": 5, "created_at": NOON})
    assert with_defaults(task, read_defaults(DEFAULTS)).timeout == 5
