"""A task queues one with GPUs, limits and a runtime that it does not have itself."""

from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.models import Task, TaskSpec
from manager.core import admission
from manager.core.live_job import LiveJob
from manager.model.facts import TaskClaimed, TaskRequested
from tests.unit.manager.builders import UID, at, granted, key, live_job, settings, task

RULES = {"gpus": 4, "runtimes": ("runsc", "weaker"), "ulimits": {"memlock": 1 << 30, "core": 1 << 30}}


def parent(**fields: Any) -> LiveJob:
    """A job whose task runs, with the first GPUs where it asks for some."""
    of = task("a", **fields)
    asked = of.resources.gpus
    has = tuple(map(str, range(asked))) if isinstance(asked, int) else asked or ()
    job = live_job(of)
    grant = granted(of, **RULES).model_copy(update={"gpus": has})
    job.apply(TaskClaimed(key=key("a"), container="airx-a", grant=grant, at=at(1)))
    return job


def child(job: LiveJob, **fields: Any) -> Task:
    spec = TaskSpec(id="b", command="true", **fields)
    fact = TaskRequested(uid=UID, request="r", spec=spec, parent=key("a"), at=at(3))
    job.apply(admission.requested(fact, job, settings(**RULES)))
    return job.tasks["b"]


@pytest.mark.parametrize(
    ("has", "asked"),
    [
        ({}, {"resources": {"gpus": 1}}),
        ({}, {"resources": {"gpus": ["0"]}}),
        ({"resources": {"gpus": 1}}, {"resources": {"gpus": 2}}),
        ({"resources": {"gpus": 1}}, {"resources": {"gpus": ["1"]}}),
        ({"runtime": "runsc"}, {"runtime": "default"}),
        ({"runtime": "runsc"}, {"runtime": "weaker"}),
        ({}, {"runtime": "weaker"}),
        ({"ulimits": {"nofile": 100}}, {"ulimits": {"nofile": 101}}),
        ({"ulimits": {"cpu": 5}}, {"ulimits": {"cpu": {"soft": 1, "hard": 6}}}),
        ({"ulimits": {"fsize": 65_536}}, {"ulimits": {"fsize": 65_537}}),
        ({}, {"ulimits": {"memlock": 1}}),
        ({}, {"ulimits": {"core": 1}}),
        ({}, {"ulimits": {"nofile": 16_385}}),
    ],
    ids=str,
)
def test_more_than_the_parent_has_is_refused(has: dict[str, Any], asked: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        child(parent(**has), **asked)


def test_who_says_nothing_is_limited_as_its_parent_and_run_as_that() -> None:
    made = child(parent(ulimits={"nofile": 100, "cpu": {"soft": 5, "hard": 6}}, runtime="runsc"))
    assert made.runtime == "runsc"
    assert granted(made, **RULES).ulimits == {"nofile": (100, 100), "cpu": (5, 6)}


def test_as_much_as_the_parent_has_is_given() -> None:
    made = child(
        parent(resources={"gpus": ["2", "3"]}, ulimits={"memlock": 10}),
        resources={"gpus": ["3"]},
        ulimits={"memlock": 10},
        runtime="default",
    )
    assert (made.resources.gpus, made.runtime) == (("3",), "default")


def test_who_asks_for_a_number_gets_none_that_its_parent_has_not() -> None:
    made = child(parent(resources={"gpus": ["2", "3"]}), resources={"gpus": 1})
    assert made.resources.gpus is not None and set(made.resources.gpus) < {"2", "3"}
