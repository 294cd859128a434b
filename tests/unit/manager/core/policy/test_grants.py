"""What an attempt gets."""

from typing import Any

import pytest

from air_executor.format.attempts import Attempt, GrantedNetwork
from air_executor.format.models import Resources, Task
from manager.core import policy
from manager.model.values import Owner
from tests.unit.manager.builders import (
    OWNER,
    after,
    claimed,
    created,
    exited,
    granted,
    key,
    settings,
    started,
    task,
)


def test_limits_are_the_settings_unless_the_task_asks_for_others() -> None:
    limits = {"memory_mb": 100, "cpus": 2.0, "pids": 9, "tmp_mb": 8, "log_mb": 3, "timeout": 60.0}
    found = granted(task("a"), **limits)
    assert (found.memory_mb, found.cpus, found.pids) == (100, 2.0, 9)
    assert (found.tmp_mb, found.log_mb, found.timeout) == (8, 3, 60)
    asked = task("a", resources={"memory_mb": 50, "cpus": 0.5, "pids": 3}, timeout=5)
    found = granted(asked, **limits)
    assert (found.memory_mb, found.cpus, found.pids) == (50, 0.5, 3)
    assert (found.tmp_mb, found.log_mb, found.timeout) == (8, 3, 5)


@pytest.mark.parametrize(("asked", "expected"), [(None, "runner:1"), ("debian:12", "debian:12")])
def test_the_image_is_the_settings_unless_the_task_asks_for_another(asked: str | None, expected: str) -> None:
    assert granted(task("a", image=asked), runner_image="runner:1").image == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, GrantedNetwork(kind="job", name="net")),
        ("job", GrantedNetwork(kind="job", name="net")),
        ("private", GrantedNetwork(kind="private")),
        ("none", GrantedNetwork(kind="none")),
        ("db", GrantedNetwork(kind="named", name="db")),
    ],
)
def test_networks(asked: str | None, expected: GrantedNetwork) -> None:
    rules = settings(networks=("db",))
    assert policy.grant(task("a", network=asked), OWNER, "net", rules).network == expected


@pytest.mark.parametrize("asked", ["host", "container:other", "db2"])
def test_a_network_that_is_not_allowed_any_more_is_none(asked: str) -> None:
    """A record from when it was may ask for it."""
    rules = settings(networks=("db",))
    assert policy.grant(task("a", network=asked), OWNER, "net", rules).network.kind == "none"


def test_no_attempt_gets_more_than_the_ceilings_whatever_its_task_or_the_defaults_say() -> None:
    ceilings = {"max_memory_mb": 50, "max_cpus": 0.5, "max_pids": 3, "max_timeout": 5.0}
    greedy = task("a", resources={"memory_mb": 51, "cpus": 1.0, "pids": 4}, timeout=1e300)
    for of in (task("a"), greedy):
        found = granted(of, **ceilings)
        assert (found.memory_mb, found.cpus, found.pids, found.timeout) == (50, 0.5, 3, 5)


def test_memory_grows_up_to_the_ceiling() -> None:
    hungry = task("a", resources={"memory_mb": 40}, retries={"max": 3, "on": ["oom"], "memory_factor": 4})
    failed = after(
        claimed(key("a")),
        created(key("a")),
        started(key("a")),
        exited(key("a"), 137, oom_killed=True),
        of=hungry,
    )
    assert granted(failed).memory_mb == 160
    assert granted(failed, max_memory_mb=100).memory_mb == 100


def test_who_it_runs_as_is_decided_with_the_users() -> None:
    assert granted(task("a", user="7:8"), users=("7:8",)).user == "7:8"
    assert granted(task("a", user="7:8")).user == str(OWNER)


@pytest.mark.parametrize(("parent", "pull"), [(None, True), ("b", False)])
def test_no_image_is_pulled_for_what_a_task_queued(parent: str | None, pull: bool) -> None:
    assert granted(task("a", parent=parent)).pull is pull


def test_the_usual_grant_is_that_of_a_task_that_asks_for_nothing() -> None:
    rules = settings(runner_image="runner:1", memory_mb=77)
    assert policy.usual_grant(OWNER, "net", rules) == policy.grant(task("a"), OWNER, "net", rules)


def test_the_usual_grant_is_for_whom_it_is_asked_also_where_an_operator_lists_the_group() -> None:
    rules = settings(users=("1000:100",))
    listed = policy.grant(task("a", user="1000:100"), OWNER, "net", rules)
    assert policy.usual_grant(Owner(1000, 100), "net", rules) == listed


@pytest.mark.parametrize(
    ("fields", "usual"),
    [
        ({}, True),
        ({"resources": Resources(memory_mb=77)}, True),
        ({"resources": Resources(memory_mb=78)}, False),
        ({"resources": Resources(cpus=99)}, True),
        ({"resources": Resources(shm_mb=64)}, True),
        ({"resources": Resources(shm_mb=63)}, False),
        ({"image": "runner:1"}, True),
        ({"image": "index.docker.io/library/runner:1"}, True),
        ({"image": "runner"}, False),
        ({"image": "own/runner:1"}, False),
        ({"network": "job"}, True),
        ({"network": "private"}, False),
        ({"timeout": 7.0, "workdir": "/tmp", "env": {"A": "b"}, "user": "7", "parent": "b"}, True),
    ],
    ids=str,
)
def test_a_task_is_usual_where_its_container_is(fields: dict[str, Any], usual: bool) -> None:
    rules = settings(runner_image="runner:1", memory_mb=77, cpus=4, max_cpus=4, users=("7",))
    assert policy.is_usual(task("a", **fields), rules) is usual


OLD = {
    "number": 1,
    "phase": "running",
    "container": {"name": "airx-job-a-1", "image": "image:before"},
    "timeout": 7.0,
    "memory_mb": 99,
}
"""An attempt as managers wrote it that did not know of grants."""


def claimed_before(of: Task, **fields: Any) -> Task:
    return of.model_copy(update={"attempts": (Attempt.model_validate(OLD | fields),)})


def test_what_an_older_manager_claimed_keeps_what_it_had_and_gets_the_rest_by_todays_settings() -> None:
    of = claimed_before(task("a", resources={"cpus": 0.5}))
    rules = settings(runner_image="image:today", memory_mb=512, pids=33, timeout=60.0)
    taken_up = policy.with_grant(of, OWNER, "net", rules)
    assert taken_up.attempt is not None
    told = {"image": "image:before", "timeout": 7.0, "memory_mb": 99}
    assert taken_up.attempt.grant == policy.grant(of, OWNER, "net", rules).model_copy(update=told)
    grant = taken_up.attempt.grant
    assert grant is not None
    assert (grant.pids, grant.cpus, grant.user) == (33, 0.5, "1000:1000")
    assert grant.network == GrantedNetwork(kind="job", name="net")
    assert taken_up.attempt.model_copy(update={"grant": None}) == of.attempt, "the rest of it stays"


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [({"timeout": None}, (60.0, 99)), ({"memory_mb": None}, (7.0, 512))],
)
def test_what_an_older_manager_did_not_write_is_by_todays_settings_too(
    unknown: dict[str, Any], expected: tuple[float, int]
) -> None:
    of = claimed_before(task("a"), **unknown)
    taken_up = policy.with_grant(of, OWNER, "net", settings(timeout=60.0, memory_mb=512)).attempt
    assert taken_up is not None and taken_up.grant is not None
    assert (taken_up.grant.timeout, taken_up.grant.memory_mb) == expected


def test_only_the_latest_attempt_gets_a_grant() -> None:
    first, second = (Attempt.model_validate(OLD | {"number": number}) for number in (1, 2))
    of = task("a", retries=1).model_copy(update={"attempts": (first, second)})
    taken_up = policy.with_grant(of, OWNER, "net", settings())
    assert taken_up.attempts[0] is first
    assert taken_up.attempts[1].grant is not None


def test_an_attempt_that_has_a_grant_keeps_it_whatever_the_settings_are_today() -> None:
    of = after(claimed(key("a")))
    assert policy.with_grant(of, Owner(7, 7), "another", settings(memory_mb=1024)) is of


def test_an_attempt_whose_container_is_gone_needs_no_grant() -> None:
    of = claimed_before(task("a"), phase="removed")
    assert policy.with_grant(of, OWNER, "net", settings()) is of


def test_a_task_without_attempts_gets_no_grant() -> None:
    of = task("a")
    assert policy.with_grant(of, OWNER, "net", settings()) is of
