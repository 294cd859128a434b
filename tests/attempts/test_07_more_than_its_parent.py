"""A task with 32 MB, 20 processes and no network queues one with a terabyte, the internet and for ever.

What a task queues is bounded by what it has itself; what it does not say as well (`policy.bounds`).
"""

from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.models import TaskSpec
from manager.core import admission
from manager.core.live_job import LiveJob
from manager.model.facts import TaskClaimed, TaskRequested
from tests.unit.manager.builders import UID, at, granted, key, live_job, settings, task

SMALL = {"network": "none", "resources": {"memory_mb": 32, "pids": 20}, "timeout": 20.0}


@pytest.fixture
def job() -> LiveJob:
    parent = task("a", **SMALL)
    job = live_job(parent)
    job.apply(TaskClaimed(key=key("a"), container="airx-a", grant=granted(parent), at=at(1)))
    return job


def asked(job: LiveJob, **fields: Any) -> TaskRequested:
    spec = TaskSpec(id="b", command="true", **fields)
    fact = TaskRequested(uid=UID, request="r", spec=spec, parent=key("a"), at=at(3))
    return admission.requested(fact, job, settings())


@pytest.mark.parametrize(
    "fields",
    [
        {"network": "private"},
        {"network": "job"},
        {"user": "23456:105"},
        {"resources": {"memory_mb": 1 << 20}},
        {"resources": {"memory_mb": 33}},
        {"resources": {"pids": 4_000_000}},
        {"resources": {"pids": 21}},
        {"timeout": 1e300},
        {"timeout": 21.0},
        {"retries": 100},
    ],
    ids=str,
)
def test_more_than_the_parent_has_is_refused(job: LiveJob, fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        asked(job, **fields)


def test_who_says_nothing_gets_no_more_either_and_the_record_shows_it(job: LiveJob) -> None:
    job.apply(asked(job))
    made = job.tasks["b"]
    assert (made.network, made.timeout, made.parent) == ("none", 20, "a")
    assert (made.resources.memory_mb, made.resources.pids) == (32, 20)


def test_a_job_writer_is_bound_by_the_operators_ceilings(job: LiveJob) -> None:
    for fields in (
        {"resources": {"memory_mb": 1 << 20}},
        {"resources": {"pids": 4_000_000}},
        {"timeout": 1e300},
    ):
        fact = TaskRequested(uid=UID, request="r", spec=TaskSpec(id="b", command="x", **fields), at=at(3))
        with pytest.raises(BadInput, match="setting `max_"):
            admission.requested(fact, job, settings())
