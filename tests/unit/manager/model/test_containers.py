"""What the engine is asked for."""

import re
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from air_executor.format import names
from manager.model import container_spec, containers
from manager.model.container_spec import Mount, Network
from manager.model.containers import MIB, container_name, network_name
from manager.model.values import AttemptKey, Owner
from tests.unit.manager.builders import (
    HOME,
    OWNER,
    UID,
    container,
    key,
    network,
    settings,
    task,
)

DOCKERS_RULE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
A_HOST_NAME = 253

a_name = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:+@=~-]{0,199}", fullmatch=True)
a_key = st.builds(
    AttemptKey,
    uid=st.text("0123456789abcdef", min_size=32, max_size=32),
    task=a_name,
    number=st.integers(1, 101),
    incarnation=st.integers(1, 9),
)


def spec(*, owner: Owner = OWNER, limits: dict[str, Any] | None = None, **fields: Any) -> Any:
    return container(task("a", **fields), key("a", 2), owner=owner, **(limits or {}))


@given(a_name, a_key)
def test_every_container_name_is_one_that_docker_takes(job: str, of: AttemptKey) -> None:
    assert names.is_name(job)
    for name in (container_name(HOME.id, job, of), network_name(HOME.id, job, of.uid)):
        assert DOCKERS_RULE.fullmatch(name)
        assert len(name) < A_HOST_NAME
        assert name.startswith("airx-")


@given(a_name, st.lists(a_key, min_size=2, max_size=2, unique=True))
def test_two_attempts_never_share_a_name(job: str, keys: list[AttemptKey]) -> None:
    assert container_name(HOME.id, job, keys[0]) != container_name(HOME.id, job, keys[1])


@given(a_name, a_key)
def test_the_name_is_the_same_each_time_and_another_in_another_home(job: str, of: AttemptKey) -> None:
    assert container_name(HOME.id, job, of) == container_name(HOME.id, job, of)
    assert container_name(HOME.id, job, of) != container_name("another", job, of)
    assert container_name(HOME.id, job, of) != container_name(HOME.id, job, of._replace(incarnation=99))


def test_a_person_can_read_job_task_and_attempt_in_the_name() -> None:
    name = container_name(HOME.id, "airflow-manual__2025-10-02T07:30:00+00:00", key("greet"))
    assert re.fullmatch(r"airx-airflow-manual__2025-10-02T07-30-00-00-00-greet-1-[0-9a-f]{10}", name)


def test_names_that_would_run_into_each_other_stay_apart() -> None:
    assert container_name(HOME.id, "a", key("b-c")) != container_name(HOME.id, "a-b", key("c"))
    assert container_name(HOME.id, "a:b", key("c")) != container_name(HOME.id, "a+b", key("c", uid="f" * 32))


def test_labels_tell_whose_container_it_is() -> None:
    assert spec().labels == {
        "air-executor.home-id": HOME.id,
        "air-executor.home": str(HOME.path),
        "air-executor.job": "job",
        "air-executor.job-uid": UID,
        "air-executor.task": "a",
        "air-executor.attempt": "2",
        "air-executor.incarnation": "1",
        "air-executor.role": "task",
    }


def test_the_key_comes_back_from_the_labels() -> None:
    assert container_spec.key_of(spec().labels) == key("a", 2)


@pytest.mark.parametrize("change", [{"air-executor.attempt": "x"}, {"air-executor.attempt": None}])
def test_labels_that_are_not_a_tasks_have_no_key(change: dict[str, Any]) -> None:
    labels = {name: value for name, value in (spec().labels | change).items() if value is not None}
    assert container_spec.key_of(labels) is None


@pytest.mark.parametrize(
    ("asked", "owner", "expected"),
    [
        (None, Owner(1000, 1000), "1000:1000"),
        (None, Owner(1000, 50), "1000:50"),
        (None, Owner(0, 0), "4321:4321"),
        (None, Owner(0, 1000), "4321:4321"),
        ("7", Owner(0, 0), "7:7"),
        ("7:8", Owner(1000, 1000), "7:8"),
    ],
)
def test_a_task_never_runs_as_root(asked: str | None, owner: Owner, expected: str) -> None:
    assert spec(owner=owner, user=asked, limits={"task_uid": 4321}).user == expected


def test_only_the_jobs_own_work_and_inbox_are_mounted() -> None:
    assert spec().mounts == (Mount("/jobs/job/work", "/work"), Mount("/jobs/job/inbox", "/inbox"))


def test_the_environment_tells_a_task_where_it_is_and_can_not_be_overridden() -> None:
    env = spec(env={"HOME": "/work", "MINE": "1", "AIR_EXECUTOR_TASK": "lie"}).env
    assert env == {
        "HOME": "/work",
        "MINE": "1",
        "AIR_EXECUTOR_JOB": "job",
        "AIR_EXECUTOR_TASK": "a",
        "AIR_EXECUTOR_ATTEMPT": "2",
        "AIR_EXECUTOR_INBOX": "/inbox",
    }


def test_home_is_somewhere_writable() -> None:
    assert spec().env["HOME"] == "/tmp"


def test_limits_are_the_settings_unless_the_task_asks_for_others() -> None:
    limits = {"memory_mb": 100, "cpus": 2.0, "pids": 9, "tmp_mb": 8, "log_mb": 3}
    found = spec(limits=limits)
    assert (found.memory_bytes, found.cpus, found.pids) == (100 * MIB, 2.0, 9)
    assert (found.tmp_bytes, found.log_bytes) == (8 * MIB, 3 * MIB)
    found = spec(limits=limits, resources={"memory_mb": 50, "cpus": 0.5, "pids": 3})
    assert (found.memory_bytes, found.cpus, found.pids) == (50 * MIB, 0.5, 3)


def test_the_working_directory_is_work_unless_the_task_names_another() -> None:
    assert (spec().workdir, spec(workdir="/work/sub").workdir) == ("/work", "/work/sub")


def test_the_command_is_given_as_it_stands() -> None:
    assert spec(command="echo", args=["$HOME", "a b", ""]).command == ("echo", "$HOME", "a b", "")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, Network("job", network_name(HOME.id, "job", UID))),
        ("job", Network("job", network_name(HOME.id, "job", UID))),
        ("private", Network("private")),
        ("none", Network("none")),
        ("db", Network("named", "db")),
    ],
)
def test_networks(asked: str | None, expected: Network) -> None:
    assert spec(network=asked).network == expected


def test_all_tasks_of_a_job_share_one_network_container_and_jobs_do_not() -> None:
    one = network()
    assert one.name == spec().network.name
    assert one.name != network_name(HOME.id, "job", "f" * 32)
    assert one.labels["air-executor.role"] == "network"
    assert one.mounts == ()


def test_helpers_are_never_root_and_bounded() -> None:
    helpers = [
        network(),
        containers.probe_container(Path("/probe"), "00ff", HOME, settings()),
    ]
    for helper in helpers:
        assert helper.user == "65534:65534"
        assert helper.memory_bytes <= 16 * MIB
        assert helper.pids <= 16


def test_equal_words_have_equal_digests_and_others_do_not() -> None:
    assert spec().digest == spec().digest
    digests = {
        found.digest
        for found in (
            spec(),
            spec(env={"A": "1"}),
            spec(command="false"),
            spec(image="other"),
            spec(network="none"),
            spec(workdir="/"),
            spec(user="7"),
            spec(resources={"memory_mb": 99}),
            spec(limits={"tmp_mb": 1}),
        )
    }
    assert len(digests) == 9
