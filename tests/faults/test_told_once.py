"""What can never work: a creator is told at once; in files by hand it is recorded once, as `bad_input`."""

import json
import os
import secrets
from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.names import MAX_LENGTH
from tests.real_manager import RealManager, docker, real_manager
from tests.waiting import until

AT_CREATION: dict[str, dict[str, Any]] = {
    "no reference": {"image": "NOPE:bad ref"},
    "no image": {"image": ""},
    "a bad digest": {"image": f"debian@sha256:{'a' * 63}"},
    "a web address": {"image": "https://ghcr.io/team/tool:1"},
    "a relative workdir": {"workdir": "rel/x"},
    "a home": {"workdir": "~"},
    "a name too long": {"workdir": f"/work/{'x' * 256}"},
    "a path too long": {"workdir": "/x" * 2048},
    "a command too long": {"command": "/x" * 2048},
    "the host's network": {"network": "host"},
    "no CPU": {"resources": {"cpus": 0}},
    "little memory": {"resources": {"memory_mb": 5}},
    "no process": {"resources": {"pids": 0}},
    "a variable with =": {"env": {"A=B": "1"}},
    "a variable without a name": {"env": {"": "1"}},
    "NUL": {"args": ["\0"]},
    "root": {"user": "0"},
    "a timeout of 0": {"timeout": 0},
    "negative retries": {"retries": -1},
    "itself": {"dependencies": ["a"]},
    "a name outside ASCII": {"id": "抽取"},
}
ON_THE_HOST: dict[str, dict[str, Any]] = {
    "more CPUs than there are": {"resources": {"cpus": (os.cpu_count() or 1) + 1}},
    "a file": {"workdir": "/etc/passwd"},
    "below a file": {"workdir": "/etc/passwd/x"},
    "in a process": {"workdir": "/proc/1/x"},
    "in the kernel": {"workdir": "/sys/x"},
    "through too many folders": {"workdir": "/y" + "/x" * 1900},
}


def by_hand(manager: RealManager, name: str, *tasks: dict[str, Any]) -> None:
    folder = manager.home / "jobs" / name
    folder.mkdir(parents=True)
    (folder / "tasks.json").write_text(json.dumps(tasks))
    (folder / "state.json").write_text(json.dumps({"id": "1", "name": name, "state": "waiting"}))


def a_task(**fields: Any) -> dict[str, Any]:
    return {"id": "a", "command": "true", "retries": {"max": 3}} | fields


def test_a_creator_is_told_at_once_and_a_writer_by_hand_in_the_record(served: RealManager) -> None:
    for number, fields in enumerate(AT_CREATION.values()):
        with pytest.raises(BadInput):
            served.client.create_job(f"created-{number}", [a_task(**fields)])
        by_hand(served, f"by-hand-{number}", a_task(**fields))
    for number, what in enumerate(AT_CREATION):
        view = served.client.wait(f"by-hand-{number}", 20)
        assert view.job.failure is not None and view.job.failure.cause == "bad_input", what
        assert not any(task.attempts for task in view.tasks), what


def test_what_can_not_be_on_this_host_is_recorded_once_whatever_the_policy(served: RealManager) -> None:
    for number, fields in enumerate(ON_THE_HOST.values()):
        served.client.create_job(f"asked-{number}", [a_task(**fields)])
    for number, what in enumerate(ON_THE_HOST):
        view = served.client.wait(f"asked-{number}", 30)
        failure, cause = view.job.failure, "command" if "workdir" in ON_THE_HOST[what] else "bad_input"
        assert failure is not None and failure.cause == cause, (what, failure)
        assert all(len(task.attempts) <= 1 for task in view.tasks), what
    until(lambda: not served.containers("--filter", "label=air-executor.role=task"), 60)


def test_a_network_that_nobody_has_made_is_named_and_the_job_is_tried_again_when_somebody_has() -> None:
    name = f"airx-test-{secrets.token_hex(6)}"
    with real_manager(networks=json.dumps([name])) as manager:
        manager.client.create_job("job", [a_task(network=name)])
        view = manager.client.wait("job", 30)
        failure = view.tasks[0].failure
        assert failure is not None and failure.cause == "bad_input"
        assert f"docker network create {name}" in failure.message
        assert len(view.tasks[0].attempts) == 1
        docker("network", "create", name)
        try:
            manager.client.retry("job")
            assert manager.client.wait("job", 30).state == "completed"
        finally:
            docker("network", "rm", "--force", name)


def test_the_longest_names_have_room_in_all_that_is_made_of_them(served: RealManager) -> None:
    job, task = "j" * MAX_LENGTH, "t" * MAX_LENGTH
    served.client.create_job(job, [a_task(id=task, command="false", retries=1)])
    view = served.client.wait(job, 30)
    assert [attempt.failure and attempt.failure.cause for attempt in view.tasks[0].attempts] == [
        "exit",
        "exit",
    ]
    logs = sorted(each.name for each in (served.home / "jobs" / job / "logs").iterdir())
    assert logs == [f"{task}.log", f"{task}.log.1"]


def test_an_empty_workdir_by_hand_is_the_usual_one(served: RealManager) -> None:
    by_hand(served, "as-ever", a_task(workdir=""))
    assert served.client.wait("as-ever", 30).state == "completed"
