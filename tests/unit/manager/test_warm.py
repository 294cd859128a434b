"""The first tasks of jobs in containers that waited for them, with all the real parts, on the strict fake."""

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from air_executor.failpoints import Failpoint
from air_executor.format.attempts import Attempt
from manager.engine.contract import EngineError, Observation
from manager.folder import workspace
from manager.model import container_spec, containers
from manager.model.container_spec import ContainerSpec
from manager.model.home import Home
from manager.model.values import AttemptKey, Owner, spare_of
from tests.fakes.death import Death
from tests.fakes.engine import NotingEngine, Program
from tests.fakes.manager import HOME_ID, InProcess, Start, a_task, statuses
from tests.waiting import until

IMAGE = "air-executor-runner:latest"
PROGRAMS: dict[tuple[str, ...], Program] = {
    ("long",): Program(seconds=None),
    ("short",): Program(seconds=0.05),
    ("write",): Program(writes={"result": "42"}),
    ("three",): Program(exit_code=3),
    ("stubborn",): Program(seconds=None, ignores_term=True),
    ("nothing",): Program(unusable="there is no command 'nothing' in the image"),
    ("spawn",): Program(drops={"r.json": json.dumps(a_task("b"))}),
}
ONCE = [("job", "a", 1)]


class Noting(NotingEngine):
    """Tells what of that waits."""

    def __init__(self) -> None:
        super().__init__(PROGRAMS)

    @property
    def pool(self) -> list[str]:
        """The containers that wait for the first task of a job nobody knows yet, by name."""
        of_warm_containers = [name for name in self.names if name.startswith("airx-warm-")]
        return [name for name in of_warm_containers if not name.endswith(("-network", "-spare"))]


@pytest.fixture
def engine() -> Iterator[Noting]:
    made = Noting()
    yield made
    made.check()


@pytest.fixture
def manager(start: Start) -> InProcess:
    """One with a warm container."""
    return warmed(start(warm=1, users=("4321",)))


def warmed(manager: InProcess, number: int = 1) -> InProcess:
    """The manager, when so many warm containers wait, and no other is being made."""
    pool = manager.pool
    until(lambda: len(pool.ready) == number and not pool.making)
    return manager


def in_pool(manager: InProcess) -> set[str]:
    """Those that the manager has to give away."""
    return set(manager.pool.ready)


def the_warm_container(manager: InProcess) -> str:
    """Its container's name."""
    (warm,) = in_pool(manager)
    return warm


def network_of(warm: str) -> str:
    """The name of the container that holds its network."""
    return containers.warm_network_name(warm)


def only(manager: InProcess, task: str = "a", job: str = "job") -> Attempt:
    """The one attempt of a task that has completed."""
    found = manager.task(task, job)
    assert found.status == "completed", found.error
    (attempt,) = found.attempts
    return attempt


def folders(manager: InProcess) -> set[str]:
    """What there is of warm containers and gates, but for the gate that all use."""
    found: set[str] = set()
    for parent in (manager.home / "gates", manager.home / "jobs" / ".warm"):
        found |= {entry.name for entry in parent.iterdir()} if parent.is_dir() else set()
    return found - {"bin"}


def nothing_left(manager: InProcess, engine: Noting) -> None:
    """No container and no folder of one, but for those of warm containers that still wait."""
    pool = manager.pool

    def clean() -> bool:
        waiting = set(pool.ready)
        gates = {each for warm in waiting for each in (warm, spare_of(warm))}
        networks = {containers.warm_network_name(warm) for warm in waiting}
        return (
            not pool.making and set(engine.names) == gates | networks and folders(manager) == gates | waiting
        )

    until(clean)


def nobody_listens(manager: InProcess, container: str) -> None:
    """The gate of a container that has ended has left its FIFO."""
    fifo = Home(HOME_ID, manager.home).gate(container).fifo

    def left() -> bool:
        try:
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return True
        return False

    until(left)


def cold_and_once(manager: InProcess, engine: Noting) -> None:
    """The task got a container of its own, and no attempt of it is spent."""
    attempt = only(manager)
    assert (attempt.number, attempt.incarnation, attempt.start, attempt.warm) == (1, 2, "cold", None)
    assert engine.executions == ONCE


# --- All is well -----------------------------------------------------------------------------------------


def test_the_first_task_of_a_job_gets_a_container_that_waited_for_it(
    manager: InProcess, engine: Noting
) -> None:
    name, (warm,) = the_warm_container(manager), in_pool(manager)
    waited = engine.observe(name)
    manager.run(a_task("a", command="echo hi", retries=0))
    attempt = only(manager)
    assert (attempt.start, attempt.warm, attempt.incarnation) == ("warm", warm, 1)
    assert (attempt.container.id, attempt.container.image_id) == (waited.id, waited.image_id)
    assert attempt.container.name == containers.container_name(HOME_ID, "job", container_key(manager, "a"))
    assert manager.client.status("job").job.network == containers.warm_network_name(warm)
    assert manager.log("a") == "hi\n"
    assert engine.executions == ONCE
    nothing_left(manager, engine)


def container_key(manager: InProcess, task: str) -> AttemptKey:
    return AttemptKey(str(manager.state()["uid"]), task, 1, 1)


def test_its_times_are_in_order(manager: InProcess) -> None:
    manager.run(a_task("a", command="short"))
    times = only(manager).timings
    order = (
        times.created_at,
        times.container_started_at,
        times.ready_at,
        times.started_at,
        times.finished_at,
        times.recorded_at,
    )
    assert all(order) and list(order) == sorted(order)  # type: ignore[type-var]


def test_its_container_has_the_jobs_folders(manager: InProcess, engine: Noting) -> None:
    view = manager.run(a_task("a", command="write"), a_task("look", "a", command="test -f result"))
    assert statuses(view) == {"a": "completed", "look": "completed"}
    assert only(manager).start == "warm"
    folder = manager.home / "jobs" / "job"
    assert (folder / "work" / "result").read_text() == "42"
    assert {entry.name for entry in folder.iterdir()} >= {"work", "inbox", "logs"}


def test_a_task_that_it_asks_for_is_run(manager: InProcess, engine: Noting) -> None:
    view = manager.run(a_task("a", command="spawn"))
    assert only(manager).start == "warm"
    assert statuses(view) == {"a": "completed", "b": "completed"}
    assert engine.executions == [("job", "a", 1), ("job", "b", 1)]
    nothing_left(manager, engine)


def test_its_variables_are_handed_over_and_are_in_no_inspection(manager: InProcess, engine: Noting) -> None:
    manager.run(a_task("a", env={"SECRET": "s3cret", "HOME": "/work"}))
    assert engine.handed[("job", "a", 1)] == {
        "SECRET": "s3cret",
        "HOME": "/work",
        "AIR_EXECUTOR_JOB": "job",
        "AIR_EXECUTOR_TASK": "a",
        "AIR_EXECUTOR_ATTEMPT": "1",
        "AIR_EXECUTOR_INBOX": "/inbox",
        "AIR_EXECUTOR_RESULT": "/inbox/result/result.json",
        "AIR_EXECUTOR_RESULTS": "/inbox/results",
    }
    assert "s3cret" not in str(list(engine.specs))


def test_the_jobs_other_tasks_share_the_network_that_was_made_for_the_warm_container(
    manager: InProcess, engine: Noting
) -> None:
    network = network_of(the_warm_container(manager))
    manager.client.create_job(
        "job", [a_task("a", command="long"), a_task("b", command="long"), a_task("c", "b")]
    )
    for name in ("a", "b"):
        manager.until_status(name, "running")
    assert network in engine.names
    of_job = [spec for spec in engine.specs if spec.labels.get(container_spec.JOB) == "job"]
    assert {spec.network.name for spec in of_job} == {network}
    assert [manager.task(name).attempts[0].start for name in ("a", "b")] == ["warm", "warm"]
    for name in ("a", "b"):
        engine.finish(manager.task(name).attempts[0].container.id or "")
    assert manager.client.wait("job", 10).state == "completed"
    nothing_left(manager, engine)
    assert network not in engine.names


def test_each_of_several_jobs_gets_a_warm_container_of_its_own(start: Start, engine: Noting) -> None:
    manager = warmed(start(warm=3), 2)
    for name in "xyz":  # the pool grows
        manager.run(a_task("a"), name=f"before-{name}")
    warmed(manager, 3)
    jobs = [f"job{number}" for number in range(3)]
    for name in jobs:
        manager.client.create_job(name, [a_task("a", command="write")])
    for name in jobs:
        manager.client.wait(name, 10)
    attempts = [only(manager, job=name) for name in jobs]
    assert {attempt.start for attempt in attempts} == {"warm"}
    assert len({attempt.container.id for attempt in attempts}) == 3
    assert len(engine.executions) == len(set(engine.executions)) == 6
    for name in jobs:
        assert (manager.home / "jobs" / name / "work" / "result").exists()
    nothing_left(manager, engine)


@pytest.mark.parametrize("after", [(), ("a",)], ids=["beside it", "after it"])
def test_containers_for_the_jobs_other_tasks_do_not_take_its_place_away(
    manager: InProcess, engine: Noting, monkeypatch: pytest.MonkeyPatch, after: tuple[str, ...]
) -> None:
    """They are asked for at the same moment; what makes the job's folders for them must come second."""
    meanwhile = threading.Event()
    real = workspace.prepare

    def prepare(job: Path, *args: Any) -> None:
        real(job, *args)
        if job.name == "job":
            meanwhile.set()

    def late(point: Failpoint) -> None:
        if point is Failpoint.GATE_SHUT:
            meanwhile.wait(0.2)

    monkeypatch.setattr(workspace, "prepare", prepare)
    monkeypatch.setattr("manager.gates.gatekeeper.reach", late)
    manager.run(a_task("a", command="write", retries=0), a_task("b", *after))
    attempt = only(manager)
    assert (attempt.start, attempt.incarnation) == ("warm", 1)


def test_nothing_of_one_job_is_seen_by_the_next(manager: InProcess, engine: Noting) -> None:
    manager.run(a_task("a", command="write", env={"SECRET": "one"}), name="one")
    warmed(manager)
    view = manager.run(a_task("a", command="test -f result", retries=0), name="two")
    assert (view.state, view.tasks[0].attempts[0].start) == ("failed", "warm")
    assert view.tasks[0].failure is not None
    assert view.tasks[0].failure.exit_code == 1
    assert "SECRET" not in engine.handed[("two", "a", 1)]
    one, two = only(manager, job="one"), view.tasks[0].attempts[0]
    assert one.warm != two.warm
    assert one.container.id != two.container.id


def test_a_job_that_ended_and_is_retried_gets_containers_of_its_own(
    manager: InProcess, engine: Noting
) -> None:
    manager.run(a_task("a", command="three", retries=0))
    warmed(manager)
    engine.programs[("three",)] = Program()
    manager.client.retry("job")
    until(lambda: manager.state()["state"] == "completed")
    assert [attempt.start for attempt in manager.task("a").attempts] == ["warm", "cold"]
    nothing_left(manager, engine)


def test_each_retry_has_a_container_and_a_log_of_its_own(manager: InProcess, engine: Noting) -> None:
    engine.programs[("three",)] = Program(exit_code=3, output=b"no\n")
    attempts = manager.run(a_task("a", command="three", retries=2)).tasks[0].attempts
    assert [(attempt.start, attempt.exit_code) for attempt in attempts] == [
        ("warm", 3),
        ("cold", 3),
        ("cold", 3),
    ]
    assert len({attempt.container.id for attempt in attempts}) == 3
    logs = [attempt.log or "" for attempt in attempts]
    assert logs == ["logs/a.log.1", "logs/a.log.2", "logs/a.log"]
    assert [(manager.home / "jobs" / "job" / log).read_text() for log in logs] == ["no\n"] * 3
    assert engine.executions == [("job", "a", number) for number in (1, 2, 3)]
    nothing_left(manager, engine)


def test_a_command_that_is_missing_fails_its_task_as_in_a_container_of_its_own(
    manager: InProcess, engine: Noting
) -> None:
    warm, cold = (
        manager.run(a_task("a", command="nothing", retries=0, **fields), name=name).tasks[0]
        for name, fields in (("warm", {}), ("cold", {"network": "none"}))
    )
    assert [task.attempts[0].start for task in (warm, cold)] == ["warm", "cold"]
    assert warm.failure == cold.failure
    assert warm.failure is not None
    assert (warm.failure.cause, warm.failure.exit_code) == ("command", 127)
    nothing_left(manager, engine)


@pytest.mark.parametrize(
    ("signal", "cause", "words"),
    [
        (9, "signal", "was ended by SIGKILL (exit code 137)"),
        (0, "exit", "ended with exit code 137, as a shell reports a process that was killed by SIGKILL"),
    ],
)
def test_whether_a_signal_ended_it_is_what_its_gate_says(
    manager: InProcess, engine: Noting, signal: int, cause: str, words: str
) -> None:
    engine.programs[("ends",)] = Program(exit_code=137, signal=signal)
    (ended,) = manager.run(a_task("a", command="ends", retries=0)).tasks
    assert (ended.attempts[0].start, ended.attempts[0].exit_code) == ("warm", 137)
    assert ended.failure is not None
    assert (ended.failure.cause, ended.failure.message) == (cause, f"task 'a' {words}")
    nothing_left(manager, engine)


def test_it_is_cancelled_as_any_other(manager: InProcess, engine: Noting) -> None:
    manager.client.create_job("job", [a_task("a", command="stubborn"), a_task("b", "a")])
    manager.until_status("a", "running")
    manager.client.cancel("job")
    view = manager.client.wait("job", 10)
    assert (view.tasks[0].attempts[0].start, view.tasks[0].attempts[0].exit_code) == ("warm", 137)
    assert [name for name, _ in engine.calls if name == "signal"] == ["signal", "signal"]
    nothing_left(manager, engine)


def test_its_timeout_counts_from_its_own_start(manager: InProcess, engine: Noting) -> None:
    view = manager.run(a_task("a", command="long", timeout=0.2, retries=0))
    attempt = view.tasks[0].attempts[0]
    assert (attempt.start, attempt.exit_code) == ("warm", 143)
    assert attempt.failure is not None and attempt.failure.cause == "timeout"
    assert attempt.timings.ran_ms is not None and attempt.timings.ran_ms >= 200
    nothing_left(manager, engine)


def test_a_folder_that_is_deleted_takes_it_along(manager: InProcess, engine: Noting) -> None:
    manager.client.create_job("job", [a_task("a", command="long")])
    manager.until_status("a", "running")
    (manager.home / "jobs" / "job").rename(manager.home / "deleted")
    nothing_left(manager, engine)
    assert engine.executions == ONCE


# --- Who gets none ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "other:1"},
        {"network": "none"},
        {"user": "4321"},
        {"resources": {"memory_mb": 64}},
        {"resources": {"cpus": 0.5}},
        {"resources": {"pids": 9}},
    ],
    ids=str,
)
def test_a_task_that_asks_for_something_of_its_own_is_not_warm(
    manager: InProcess, engine: Noting, fields: dict[str, Any]
) -> None:
    engine.images.add("other:1")
    kept = in_pool(manager)
    assert manager.run(a_task("a", retries=0, **fields)).state == "completed"
    attempt = only(manager)
    assert (attempt.start, attempt.incarnation, attempt.warm) == ("cold", 1, None)
    assert in_pool(manager) >= kept
    nothing_left(manager, engine)


@pytest.mark.parametrize("workdir", ["/work", "/work/new/one", "/tmp"])
def test_a_warm_container_goes_to_the_tasks_working_directory(
    manager: InProcess, engine: Noting, workdir: str
) -> None:
    manager.run(a_task("a", workdir=workdir))
    assert only(manager).start == "warm"
    nothing_left(manager, engine)


@pytest.mark.parametrize(
    "folders_of_old", [("logs",), ("work",), ("logs", "work", "inbox/tmp", "inbox/new")], ids=str
)
def test_a_job_with_the_empty_folders_that_old_writers_make_is_warm(
    manager: InProcess, engine: Noting, folders_of_old: tuple[str, ...]
) -> None:
    made = job_folder(manager, [a_task("a", command="write")])
    for name in folders_of_old:
        (made / name).mkdir(parents=True)
    for stray in ("README", ".DS_Store", "tasks.json.tmp"):
        (made / stray).touch()
    made.rename(manager.home / "jobs" / "job")
    assert manager.client.wait("job", 10).state == "completed"
    assert only(manager).start == "warm"
    assert (manager.home / "jobs" / "job" / "work").is_symlink()
    assert (manager.home / "jobs" / "job" / "work" / "result").read_text() == "42"
    nothing_left(manager, engine)


def test_a_log_that_came_with_a_copied_folder_makes_way(manager: InProcess, engine: Noting) -> None:
    engine.programs[("short",)] = Program(seconds=0.05, output=b"no\n")
    folder = job_folder(manager, [a_task("a", command="short")])
    (folder / "logs").mkdir()
    (folder / "logs" / "a.log").write_text("OLD\n")
    folder.rename(manager.home / "jobs" / "job")
    manager.client.wait("job", 20)
    assert only(manager).start == "warm"
    logs = {each.name: each.read_text() for each in (manager.home / "jobs" / "job" / "logs").iterdir()}
    assert logs == {"a.log": "no\n", "a.log.0": "OLD\n"}


def test_files_that_come_into_an_empty_work_after_the_claim_stay_where_they_are(
    manager: InProcess, engine: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer was too late for them to be the job's, and they are not deleted."""
    made = job_folder(manager, [a_task("a")])
    (made / "work").mkdir()
    real = workspace.prepare

    def late(job: Path, *args: Any) -> None:
        if (job / "work").is_dir() and not (job / "work").is_symlink():
            (job / "work" / "mine").touch()
        real(job, *args)

    monkeypatch.setattr(workspace, "prepare", late)
    made.rename(manager.home / "jobs" / "job")
    assert manager.client.wait("job", 10).state == "completed"
    assert (manager.home / "jobs" / "job" / "work" / "mine").exists()
    assert engine.executions == ONCE


def test_a_job_that_starts_over_is_warm_again(manager: InProcess, engine: Noting) -> None:
    made = job_folder(manager, [a_task("a", command="write")])
    (made / "work").mkdir()
    (made / "work" / "mine").touch()
    made.rename(manager.home / "jobs" / "job")
    assert manager.client.wait("job", 10).state == "completed"
    assert only(manager).start == "cold"
    uid = manager.state()["uid"]
    (manager.home / "jobs" / "job" / "reset").touch()
    until(lambda: manager.state()["uid"] != uid)
    assert manager.client.wait("job", 10).state == "completed"
    assert only(manager).start == "warm"
    assert {each.name for each in (manager.home / "jobs" / "job" / "work").iterdir()} == {"result"}


def test_the_next_manager_begins_with_the_users_of_the_last(
    start: Start, engine: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = warmed(start(warm=1))
    monkeypatch.setattr("manager.folder.scanner.owner_of", lambda path: Owner(4321, 4321))
    first.run(a_task("a"), name="foreign")
    until(lambda: first.pool.regulars[0] == (4321, 4321))
    warmed(first, 2)
    first.leave()
    second = warmed(start(warm=1), 2)
    second.run(a_task("a"))
    assert only(second).start == "warm"


@pytest.mark.parametrize("folder", ["work", "inbox"])
def test_a_job_that_brings_a_folder_keeps_it(manager: InProcess, engine: Noting, folder: str) -> None:
    made = job_folder(manager, [a_task("a", command="test -f mine" if folder == "work" else "true")])
    (made / folder).mkdir()
    (made / folder / "mine").touch()
    made.rename(manager.home / "jobs" / "job")
    assert manager.client.wait("job", 10).state == "completed"
    assert only(manager).start == ("cold" if folder == "work" else "warm")
    assert (manager.home / "jobs" / "job" / folder / "mine").exists()
    nothing_left(manager, engine)


@pytest.mark.parametrize("folder", ["work", "inbox"])
def test_a_folder_that_comes_after_the_job_was_taken_is_kept_and_costs_no_task(
    manager: InProcess, engine: Noting, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    def meanwhile(point: Failpoint) -> None:
        if point is Failpoint.GATE_SHUT:
            mine = manager.home / "jobs" / "job" / folder
            mine.mkdir()
            (mine / "mine").touch()

    monkeypatch.setattr("manager.gates.gatekeeper.reach", meanwhile)
    manager.run(a_task("a", command="true", retries=0))
    assert only(manager).start == "warm"
    assert (manager.home / "jobs" / "job" / folder / "mine").exists()
    nothing_left(manager, engine)


def test_a_link_in_the_place_of_the_jobs_folder_is_not_followed(
    manager: InProcess, engine: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = manager.home / "jobs" / "job"

    def meanwhile(point: Failpoint) -> None:
        if point is Failpoint.GATE_SHUT:
            job.rename(manager.home / "elsewhere")
            job.symlink_to(manager.home / "elsewhere")

    monkeypatch.setattr("manager.gates.gatekeeper.reach", meanwhile)
    manager.client.create_job("job", [a_task("a")])
    nothing_left(manager, engine)
    assert engine.executions == []
    assert not (manager.home / "elsewhere" / "work").exists()


def job_folder(manager: InProcess, tasks: list[dict[str, Any]], **state: Any) -> Path:
    """A job that was written by hand, and is not seen yet."""
    made = manager.home / "jobs" / ".made"
    made.mkdir()
    stamp = "2025-10-02T07:30:15.123456Z"
    job = {"id": "1", "name": "job", "state": "waiting", "created_at": stamp, "updated_at": stamp}
    (made / "state.json").write_text(json.dumps(job | state))
    (made / "tasks.json").write_text(json.dumps(tasks))
    return made


@pytest.mark.parametrize("fields", [{}, {"network": "none"}], ids=["usual", "no network"])
def test_a_job_that_names_the_warm_container_of_another_does_not_get_into_its_network(
    manager: InProcess, engine: Noting, fields: dict[str, Any]
) -> None:
    """Who writes a job, or copies the folder of one, does not say whose network it shares, nor ends it."""
    manager.client.create_job("victim", [a_task("v", command="long")])
    manager.until_status("v", "running", "victim")
    network = manager.client.status("victim").job.network
    assert network is not None
    own = {"resources": {"pids": 9}} | fields
    job_folder(manager, [a_task("a", **own)], network=network).rename(manager.home / "jobs" / "job")
    assert manager.client.wait("job", 10).state == "completed"
    manager.run(a_task("a"), name="later")  # what follows the end of a job has happened
    (spec,) = [each for each in engine.specs if each.labels.get(container_spec.JOB) == "job"]
    assert spec.network.name != network
    assert network in engine.names
    engine.finish(manager.task("v", "victim").attempts[0].container.id or "")
    assert manager.client.wait("victim", 10).state == "completed"


def test_a_view_that_was_edited_does_not_get_a_retried_job_into_anothers_network(
    manager: InProcess, engine: Noting
) -> None:
    manager.client.create_job("victim", [a_task("v", command="long")])
    manager.until_status("v", "running", "victim")
    network = manager.client.status("victim").job.network
    manager.run(a_task("a", command="three", retries=0, workdir="/tmp"))
    engine.programs[("three",)] = Program()
    state = manager.home / "jobs" / "job" / "state.json"
    until(lambda: not list((manager.home / "journal").glob("job~*.journal")))
    state.write_text(json.dumps(manager.state() | {"network": network}))
    manager.client.retry("job")
    until(lambda: manager.state()["state"] == "completed")
    of_job = [each for each in engine.specs if each.labels.get(container_spec.JOB) == "job"]
    assert network not in {each.network.name for each in of_job}
    assert network in engine.names


def test_a_copy_of_a_job_that_was_warm_runs_as_a_job_of_its_own(manager: InProcess, engine: Noting) -> None:
    manager.run(a_task("a", command="write"), name="one")
    network = manager.client.status("one").job.network
    warmed(manager)
    shutil.copytree(manager.home / "jobs" / "one", manager.home / "jobs" / ".copy")
    state = manager.state("one") | {"name": "job", "state": "waiting"}
    (manager.home / "jobs" / ".copy" / "state.json").write_text(json.dumps(state))
    (manager.home / "jobs" / ".copy" / "tasks.json").write_text(json.dumps([a_task("a")]))
    (manager.home / "jobs" / ".copy").rename(manager.home / "jobs" / "job")
    assert manager.client.wait("job", 10).state == "completed"
    assert only(manager).start == "cold"
    assert manager.client.status("job").job.network != network
    nothing_left(manager, engine)


def test_a_job_of_another_owner_does_not_get_a_warm_container_of_the_usual_one(
    manager: InProcess, engine: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    (usual,) = in_pool(manager)
    monkeypatch.setattr("manager.folder.scanner.owner_of", lambda path: Owner(4321, 4321))
    manager.run(a_task("a"), name="foreign")
    assert only(manager, job="foreign").start == "cold"
    warmed(manager, 2)
    made = {spec.name: spec.user for spec in engine.specs}
    (foreign,) = in_pool(manager) - {usual}
    assert made[foreign] == "4321:4321", "the pool learns who comes, and keeps who came"
    manager.run(a_task("a"), name="again")
    assert only(manager, job="again").start == "warm"
    assert {spec.user for spec in engine.specs if spec.labels.get(container_spec.JOB) == "foreign"} <= {
        "4321:4321",
        f"{manager.settings.task_uid}:{manager.settings.task_uid}",
    }
    nothing_left(manager, engine)


def test_without_warm_containers_none_is_ever_made(start: Start, engine: Noting) -> None:
    manager = start(warm=0)
    manager.run(a_task("a"))
    until(lambda: manager.scheduler.capabilities.gates is None)
    manager.run(a_task("a"), name="another")
    assert only(manager).start == only(manager, job="another").start == "cold"
    assert not [spec.name for spec in engine.specs if "warm" in spec.name]
    nothing_left(manager, engine)


def test_an_image_without_a_gate_makes_no_warm_containers(start: Start, engine: Noting) -> None:
    engine.has_gate = False
    manager = start(warm=2)
    until(lambda: "without a gate" in manager.monitor.description)
    assert manager.run(a_task("a")).state == "completed"
    assert only(manager).start == "cold"
    assert not [spec.name for spec in engine.specs if "warm" in spec.name]


def test_a_warm_container_that_can_not_be_made_is_told_of_and_leaves_nothing(
    start: Start, engine: Noting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = engine.create

    def refusing(spec: ContainerSpec, network: ContainerSpec | None) -> Observation:
        if spec.labels[container_spec.ROLE] == "warm":
            raise EngineError("no space left on device")
        return real(spec, network)

    monkeypatch.setattr(engine, "create", refusing)
    manager = start(warm=1)
    until(lambda: "can't be made: no space left on device" in caplog.text)
    assert manager.run(a_task("a")).state == "completed"
    assert only(manager).start == "cold"
    assert caplog.text.count("can't be made") == 1, "it rests for a while"
    nothing_left(manager, engine)


# --- What becomes of warm containers ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["removed", "killed", "ended"])
def test_a_warm_container_that_is_gone_when_it_is_needed_costs_no_task(
    manager: InProcess, engine: Noting, how: str
) -> None:
    name = the_warm_container(manager)
    if how == "removed":
        engine.kill(name)
    else:
        engine.finish(name, 137 if how == "killed" else 75)
    nobody_listens(manager, name)
    manager.run(a_task("a", command="write", retries=0))
    cold_and_once(manager, engine)
    assert (manager.home / "jobs" / "job" / "work" / "result").exists()
    nothing_left(manager, engine)


def test_a_warm_container_whose_network_has_ended_costs_no_task(manager: InProcess, engine: Noting) -> None:
    engine.finish(network_of(the_warm_container(manager)), 137)
    manager.client.create_job("job", [a_task("a", command="long", retries=0)])
    manager.until_status("a", "running")
    # Longer than two polls: by then it is noticed.
    calls = len(engine.calls)
    until(lambda: [name for name, _ in engine.calls[calls:]].count("containers") >= 4)
    assert manager.task("a").status == "running", manager.task("a").error
    engine.finish(manager.task("a").attempts[0].container.id or "")
    assert manager.client.wait("job", 10).state == "completed"


def test_one_of_an_image_that_was_replaced_since_is_not_used(manager: InProcess, engine: Noting) -> None:
    engine.image_ids[IMAGE] = "sha256:newer"
    manager.run(a_task("a", retries=0))
    cold_and_once(manager, engine)
    assert only(manager).container.image_id == "sha256:newer"
    warmed(manager)
    manager.run(a_task("a", retries=0), name="another")
    assert only(manager, job="another").start == "warm"
    nothing_left(manager, engine)


def test_a_warm_container_is_not_used_where_the_image_is_gone_and_the_task_fails_for_that(
    manager: InProcess, engine: Noting
) -> None:
    engine.images.clear()
    view = manager.run(a_task("a", retries=0))
    assert view.job.failure is not None
    assert view.job.failure.cause == "image"
    assert engine.executions == []


def test_an_engine_that_went_away_for_a_while_gets_other_warm_containers_and_nothing_stays(
    manager: InProcess, engine: Noting
) -> None:
    before = in_pool(manager)
    engine.go_down()
    until(lambda: not in_pool(manager))
    engine.come_back()
    warmed(manager)
    assert in_pool(manager).isdisjoint(before)
    manager.run(a_task("a"))
    assert only(manager).start == "warm"
    warmed(manager)
    nothing_left(manager, engine)


@pytest.mark.parametrize("call", ["image_id", "observe", "rename", "follow", "wait", "remove"])
def test_a_reply_that_is_lost_costs_no_task_and_doubles_none(
    manager: InProcess, engine: Noting, call: str
) -> None:
    engine.lose_reply(call, times=2)
    manager.run(a_task("a", command="write", retries=0))
    assert only(manager).start == "warm"
    assert engine.executions == ONCE
    assert (manager.home / "jobs" / "job" / "work" / "result").exists()


@pytest.mark.parametrize("call", ["create", "start"])
def test_a_reply_that_is_lost_while_a_warm_container_is_made_leaves_no_second_one(
    manager: InProcess, engine: Noting, call: str
) -> None:
    engine.lose_reply(call)
    manager.run(a_task("a"))
    warmed(manager)
    nothing_left(manager, engine)
    assert len(engine.pool) == 1


# --- Managers that end -----------------------------------------------------------------------------------


def test_a_manager_that_is_told_to_end_throws_its_warm_containers_away(start: Start, engine: Noting) -> None:
    manager = warmed(start(warm=3), 2)
    manager.client.create_job("job", [a_task("a", command="long")])
    manager.until_status("a", "running")
    warmed(manager, 2)
    manager.leave()
    taken = manager.task("a").attempts[0].warm
    running = {str(taken), containers.warm_network_name(str(taken))}
    assert len(engine.names) == len(running)
    assert not engine.pool
    assert folders(manager) <= running
    second = warmed(start(warm=1))
    engine.finish(only_container(second))
    assert second.client.wait("job", 10).state == "completed"
    assert only(second).start == "warm"
    assert engine.executions == ONCE
    nothing_left(second, engine)


def only_container(manager: InProcess) -> str:
    """The id of the container of the one task."""
    return manager.task("a").attempts[0].container.id or ""


@pytest.mark.parametrize("warm", [0, 1])
def test_those_of_a_manager_that_died_are_swept(start: Start, engine: Noting, warm: int) -> None:
    first = warmed(start(warm=1))
    old = in_pool(first)
    first.stop()
    assert len(engine.names) == 3, "a container, its spare, and what holds their network"
    second = start(warm=warm)
    if warm:
        warmed(second)
    nothing_left(second, engine)
    assert in_pool(second).isdisjoint(old)


@pytest.mark.parametrize(
    "point",
    [Failpoint.GATE_SHUT, Failpoint.GATE_OPENED, Failpoint.STARTED_UNRECORDED],
)
@pytest.mark.parametrize("warm", [0, 1])
def test_a_manager_that_ends_before_it_knows_that_the_task_began_leaves_the_warm_container_to_the_next(
    manager: InProcess,
    start: Start,
    engine: Noting,
    monkeypatch: pytest.MonkeyPatch,
    point: Failpoint,
    warm: int,
) -> None:
    death = Death(monkeypatch, point)
    container = engine.observe(the_warm_container(manager)).id
    manager.client.create_job("job", [a_task("a", command="write", retries=0), a_task("b", "a")])
    death.come(manager)
    second = start(warm=warm)
    assert second.client.wait("job", 10).state == "completed"
    attempt = only(second)
    assert (attempt.start, attempt.container.id, attempt.incarnation) == ("warm", container, 1)
    assert engine.executions == [*ONCE, ("job", "b", 1)]
    assert (second.home / "jobs" / "job" / "work" / "result").exists()
    if warm:
        warmed(second)
    nothing_left(second, engine)


@pytest.mark.parametrize("point", [Failpoint.GATE_SHUT])
@pytest.mark.parametrize("how", ["removed", "ended"])
def test_a_warm_container_that_was_claimed_and_is_gone_when_the_next_manager_comes_is_replaced(
    manager: InProcess,
    start: Start,
    engine: Noting,
    monkeypatch: pytest.MonkeyPatch,
    point: Failpoint,
    how: str,
) -> None:
    death = Death(monkeypatch, point)
    name = the_warm_container(manager)
    manager.client.create_job("job", [a_task("a", command="write", retries=0)])
    death.come(manager)
    if how == "removed":
        engine.kill(name)
    else:
        engine.finish(name, 75)
    nobody_listens(manager, name)
    second = start(warm=0)
    assert second.client.wait("job", 10).state == "completed"
    cold_and_once(second, engine)
    assert (second.home / "jobs" / "job" / "work" / "result").exists()
    nothing_left(second, engine)


def test_a_job_whose_manager_ended_before_its_first_view_was_written_is_not_run_twice(
    manager: InProcess, start: Start, engine: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder looks as if no manager had taken it; the journal knows that it is the same one."""
    death = Death(monkeypatch, Failpoint.GATE_OPENED)
    monkeypatch.setattr(manager.publisher, "publish", lambda *_: None)
    manager.client.create_job("job", [a_task("a", command="write", retries=0)])
    death.come(manager)
    second = start(warm=0)
    assert second.client.wait("job", 10).state == "completed"
    assert engine.executions == ONCE


def test_a_warm_container_that_no_manager_knows_of_any_more_is_swept(
    start: Start, engine: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    death = Death(monkeypatch, Failpoint.WARM_WAITING)
    first = start(warm=1)
    death.come(first)
    assert len(engine.pool) == 1
    second = start(warm=0)
    nothing_left(second, engine)


def test_a_job_that_is_cancelled_while_no_manager_runs_leaves_its_warm_container_unused(
    manager: InProcess, start: Start, engine: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    death = Death(monkeypatch, Failpoint.GATE_SHUT)
    manager.client.create_job("job", [a_task("a")])
    death.come(manager)
    manager.client.cancel("job")
    second = start(warm=0)
    view = second.client.wait("job", 10)
    assert view.job.failure is not None
    assert (view.job.failure.cause, engine.executions) == ("cancelled", [])
    nothing_left(second, engine)


def test_a_claim_that_was_not_written_down_leaves_the_warm_container_to_nobody(
    manager: InProcess, start: Start, engine: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal does not take it, and the manager ends: the next one runs the task elsewhere."""

    def full(job: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(manager.journal, "record", full)
    manager.client.create_job("job", [a_task("a", command="write")])
    until(lambda: "stand still" in (manager.problem or ""))  # in the batch of the claim
    manager.stop()
    assert engine.executions == []
    second = start(warm=0)
    assert second.client.wait("job", 10).state == "completed"
    assert only(second).start == "cold"
    assert engine.executions == ONCE
    nothing_left(second, engine)


def test_a_spare_whose_network_is_another_ones_by_now_is_not_used(manager: InProcess, engine: Noting) -> None:
    """A container of the same name holds one: it was made for another task, in between."""
    network = network_of(the_warm_container(manager))
    manager.client.create_job("job", [a_task("a", command="long"), a_task("b", "a", command="write")])
    manager.until_status("a", "running")
    until(lambda: manager.task("b").attempts)
    asked = engine._find(network).spec
    engine.kill(network)
    engine.start(engine.create(asked, None))
    engine.finish(only_container(manager))
    assert manager.client.wait("job", 10).state == "completed"
    attempt = only(manager, "b")
    assert (attempt.start, attempt.incarnation) == ("cold", 2)
    nothing_left(manager, engine)


def test_a_network_that_ends_while_a_warm_task_runs_stops_it_with_its_cause(
    manager: InProcess, engine: Noting
) -> None:
    network = network_of(the_warm_container(manager))
    manager.client.create_job("job", [a_task("a", command="long", retries=0)])
    manager.until_status("a", "running")
    engine.finish(network, 137)
    view = manager.client.wait("job", 10)
    assert view.job.failure is not None
    assert view.job.failure.cause == "engine"
    nothing_left(manager, engine)
