"""Containers that are made ahead of time, with all the real parts and threads, on the strict fake engine."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from air_executor.format.attempts import Attempt
from air_executor.format.models import Task
from manager.engine.contract import EngineUnavailable, Observation, Status
from manager.model import container_spec
from manager.model.container_spec import ContainerSpec
from manager.model.home import Home
from manager.runtime import dispatcher
from tests.fakes.engine import Command, FakeEngine, NotingEngine, Program
from tests.fakes.manager import HOME_ID, InProcess, Start, a_task, statuses
from tests.waiting import until

PROGRAMS: dict[Command, Program] = {
    ("long",): Program(seconds=None),
    ("short",): Program(seconds=0.02),
    ("three",): Program(exit_code=3),
    ("nothing",): Program(unusable="there is no command 'nothing' in the image"),
}
CHAIN = (a_task("a", command="long"), a_task("b", "a"), a_task("c", "b", command="echo hi"), a_task("d", "c"))
ONCE_EACH = [("job", "a", 1), ("job", "b", 1), ("job", "c", 1), ("job", "d", 1)]


class Noting(NotingEngine):
    """Tells what of that waits."""

    def __init__(self) -> None:
        super().__init__(PROGRAMS)
        self.secret: set[str] = set()
        """Tasks of whose containers' ends it does not tell yet."""

    def follow(self, container: str, sink: Callable[[bytes], None]) -> bool:
        labels = self._find(container).spec.labels
        whole = super().follow(container, sink)
        until(lambda: labels.get(container_spec.TASK) not in self.secret)
        return whole

    @property
    def gated(self) -> list[ContainerSpec]:
        """The containers of tasks with a gate that it was asked for."""
        return [spec for spec in self.specs if container_spec.GATED in spec.labels and _is_task(spec)]

    @property
    def at_gates(self) -> list[str]:
        """The containers of tasks that wait now."""
        boxes = list(self._containers.values())
        return [
            box.spec.name
            for box in boxes
            if box.gate_shut and _is_task(box.spec) and box.status is Status.RUNNING
        ]


def _is_task(spec: ContainerSpec) -> bool:
    return spec.labels[container_spec.ROLE] == "task"


@pytest.fixture
def engine() -> Iterator[Noting]:
    made = Noting()
    yield made
    made.check()


def tried(manager: InProcess) -> InProcess:
    """The manager, once it knows that containers can wait at gates here."""
    until(lambda: manager.scheduler.capabilities.gates is None)
    return manager


def waiting(manager: InProcess, task_id: str, job: str = "job") -> Attempt:
    """The attempt of a task, once its container waits at its gate."""

    def found() -> Attempt | None:
        if not (manager.home / "jobs" / job / "tasks.json").exists():
            return None
        attempt = manager.task(task_id, job).attempt
        return attempt if attempt is not None and attempt.phase == "waiting" else None

    attempt = until(found)
    assert attempt is not None
    return attempt


def incarnated(manager: InProcess, task_id: str, incarnation: int) -> None:
    def reached() -> bool:
        attempt = manager.task(task_id).attempt
        return attempt is not None and attempt.incarnation == incarnation

    until(reached)


def end(engine: FakeEngine, task_id: str, code: int = 0, attempt: int = 1) -> None:
    """Let the command of a task end, as soon as it runs."""

    def running() -> Observation | None:
        container = engine.find(task_id, attempt)
        return container if container is not None and engine.runs(container.id) else None

    container = until(running)
    assert container is not None
    engine.finish(container.id, code)


def chain_that_waits(manager: InProcess) -> None:
    """A chain whose first task runs, with a container made ahead for each of the others."""
    tried(manager).client.create_job("job", CHAIN)
    for name in "bcd":
        waiting(manager, name)


def done(manager: InProcess, engine: FakeEngine, job: str = "job") -> dict[str, Task]:
    """The job's tasks when it has ended, and left nothing behind."""
    view = manager.client.wait(job, 20)
    until(lambda: engine.names == [])
    until(lambda: gates(manager.home) <= {"bin"})
    return {task.id: task for task in view.tasks}


def gates(home: Path) -> set[str]:
    return {entry.name for entry in (home / "gates").iterdir()} if (home / "gates").is_dir() else set()


def starts(tasks: dict[str, Task]) -> list[tuple[str, int]]:
    return [(task.attempts[-1].start, task.attempts[-1].incarnation) for task in tasks.values()]


def test_the_later_tasks_of_a_chain_have_their_containers_before_their_turn(
    start: Start, engine: Noting
) -> None:
    manager = start()
    chain_that_waits(manager)
    assert engine.executions == [("job", "a", 1)]
    containers = {name: manager.task(name).attempts[0].container for name in "bcd"}
    end(engine, "a")
    tasks = done(manager, engine)
    assert {task.status for task in tasks.values()} == {"completed"}
    assert starts(tasks) == [("cold", 1), ("ahead", 1), ("ahead", 1), ("ahead", 1)]
    assert engine.executions == ONCE_EACH
    assert {name: tasks[name].attempts[0].container for name in "bcd"} == containers
    assert manager.log("c") == "hi\n"


def test_the_times_of_what_was_made_ahead_are_in_order(start: Start, engine: Noting) -> None:
    manager = start()
    chain_that_waits(manager)
    end(engine, "a")
    tasks = done(manager, engine)
    for before, name in ("ab", "bc", "cd"):
        times = tasks[name].attempts[0].timings
        order = (times.ready_at, times.started_at, times.finished_at, times.recorded_at)
        assert all(order) and list(order) == sorted(order)  # type: ignore[type-var]
        assert times.created_at is not None and times.container_started_at is not None
        assert times.started_at is not None and times.ready_at is not None
        assert times.created_at <= times.container_started_at < times.ready_at, "it waited for its turn"
        earlier = tasks[before].attempts[0].timings
        assert earlier.finished_at is not None and earlier.recorded_at is not None
        assert earlier.finished_at <= times.ready_at <= earlier.recorded_at
        assert tasks[name].started_at == times.started_at


def test_a_gates_word_is_enough_for_the_next_task_to_begin(start: Start, engine: Noting) -> None:
    """The engine tells of a container's end much later than its gate tells of its command's."""
    engine.secret = {"b", "c"}
    manager = start()
    chain_that_waits(manager)
    end(engine, "a")
    until(lambda: engine.executions == ONCE_EACH)
    manager.until_status("d", "completed")
    for name in "bc":
        task = manager.task(name)
        assert (task.status, task.attempts[0].exit_code) == ("running", 0)
        assert task.completed_at is None and task.attempts[0].failure is None
    assert manager.client.status("job").state == "working"
    engine.secret.clear()
    tasks = done(manager, engine)
    assert {task.status for task in tasks.values()} == {"completed"}
    for name in "bc":
        times = tasks[name].attempts[0].timings
        assert times.finished_at == tasks[name].completed_at
        assert times.recorded_at is not None and times.finished_at is not None
        assert times.finished_at < times.recorded_at


def test_what_a_gate_said_is_not_forgotten_by_the_next_manager(start: Start, engine: Noting) -> None:
    engine.secret = {"b"}
    manager = start()
    chain_that_waits(manager)
    end(engine, "a")
    manager.until_status("c", "completed")
    manager.stop()
    engine.kill(manager.task("b").attempts[0].container.name)
    engine.secret.clear()
    tasks = done(start(), engine)
    assert [str(task.status) for task in tasks.values()] == ["completed"] * 4
    assert engine.executions == ONCE_EACH


@pytest.mark.parametrize("look_ahead", [1, 4])
def test_a_long_chain_of_short_tasks_is_run_in_order_and_each_once(
    start: Start, engine: Noting, look_ahead: int
) -> None:
    manager = tried(start(look_ahead=look_ahead, max_runners=1))
    names = [f"t{number}" for number in range(15)]
    chain = [
        a_task(name, *names[number - 1 : number], command="short")
        for number, name in enumerate(names)
        if number
    ]
    manager.client.create_job("job", [a_task("t0", command="short"), *chain])
    tasks = done(manager, engine)
    assert {task.status for task in tasks.values()} == {"completed"}
    assert engine.executions == [("job", name, 1) for name in names]
    assert "ahead" in {kind for kind, _ in starts(tasks)}
    assert manager.most_runners == 1


def test_a_task_with_several_dependencies_waits_for_the_last_of_them(start: Start, engine: Noting) -> None:
    manager = tried(start())
    both = (a_task("a", command="long"), a_task("b", command="long"), a_task("c", "a", "b"))
    manager.client.create_job("job", both)
    container = waiting(manager, "c").container
    end(engine, "a")
    manager.until_status("a", "completed")
    assert manager.task("c").status == "pending"
    assert ("job", "c", 1) not in engine.executions
    end(engine, "b")
    tasks = done(manager, engine)
    assert tasks["c"].attempts[0].container == container
    assert engine.executions[-1] == ("job", "c", 1)


def never_executed(tasks: dict[str, Task], cause: str) -> None:
    """The same is said of them as if nothing had been made for them."""
    why = {
        "exit": "never ran: task 'a' ended with exit code 3",
        "cancelled": "never ran: job 'job' was cancelled: somebody asked for it",
    }
    for name in "bcd":
        task = tasks[name]
        assert (task.status, task.attempts, task.started_at) == ("skipped", (), None)
        assert task.failure is not None
        assert (task.failure.cause, task.failure.message, task.error) == (cause, why[cause], why[cause])


def test_what_was_made_ahead_is_thrown_away_when_a_dependency_fails(start: Start, engine: Noting) -> None:
    manager = start()
    chain_that_waits(manager)
    end(engine, "a", 3)
    tasks = done(manager, engine)
    assert tasks["a"].status == "failed"
    never_executed(tasks, "exit")
    assert engine.executions == [("job", "a", 1)]


def test_what_was_made_ahead_is_thrown_away_when_the_job_is_cancelled(start: Start, engine: Noting) -> None:
    manager = start()
    chain_that_waits(manager)
    manager.client.cancel("job")
    tasks = done(manager, engine)
    never_executed(tasks, "cancelled")
    assert engine.executions == [("job", "a", 1)]


def test_what_was_made_ahead_is_thrown_away_when_the_folder_is_deleted(start: Start, engine: Noting) -> None:
    manager = start()
    chain_that_waits(manager)
    (manager.home / "jobs" / "job").rename(manager.home / "deleted")
    until(lambda: engine.names == [])
    until(lambda: gates(manager.home) == {"bin"})
    assert engine.executions == [("job", "a", 1)]


def test_a_job_that_is_retried_runs_what_was_thrown_away_before(start: Start, engine: Noting) -> None:
    manager = start()
    chain_that_waits(manager)
    end(engine, "a", 3)
    done(manager, engine)
    manager.client.retry("job")
    end(engine, "a", attempt=2)
    tasks = done(manager, engine)
    assert {task.status for task in tasks.values()} == {"completed"}
    assert [len(task.attempts) for task in tasks.values()] == [2, 1, 1, 1]
    runs = [("job", "a", 1), ("job", "a", 2), *(("job", name, 1) for name in "bcd")]
    assert engine.executions == runs, "what was thrown away was no attempt"
    assert manager.log("c") == "hi\n"


def test_what_was_made_ahead_goes_on_waiting_while_its_dependency_is_tried_again(
    start: Start, engine: Noting
) -> None:
    manager = tried(start())
    manager.client.create_job("job", [a_task("a", command="long", retries=1), a_task("b", "a")])
    container = waiting(manager, "b").container
    end(engine, "a", 5)
    end(engine, "a", attempt=2)
    tasks = done(manager, engine)
    assert tasks["b"].attempts[0].container == container
    assert engine.executions == [("job", "a", 1), ("job", "a", 2), ("job", "b", 1)]


def test_without_look_ahead_every_container_is_made_when_its_turn_has_come(
    start: Start, engine: Noting
) -> None:
    """It begins with a gate as well: a command finds the same whenever its container was made."""
    manager = start(look_ahead=0)
    tasks = {task.id: task for task in manager.run(*[a_task("a", command="short"), *CHAIN[1:]]).tasks}
    assert starts(tasks) == [("cold", 1)] * 4
    assert len(engine.gated) == 4
    assert engine.executions == ONCE_EACH


def test_no_more_containers_than_that_wait_over_all_jobs(start: Start, engine: Noting) -> None:
    manager = tried(start(look_ahead=2))
    jobs = ["one", "two", "three"]
    for name in jobs:
        fan = [a_task(f"{name}-{letter}", f"{name}-a") for letter in "bcd"]
        manager.client.create_job(name, [a_task(f"{name}-a", command="long"), *fan])
    for name in jobs:
        manager.until_status(f"{name}-a", "running", name)
    until(lambda: len(engine.at_gates) == 2)
    for number in range(5):  # each of these has the manager decide again
        manager.client.queue("one", a_task(f"more{number}"))
        manager.until_status(f"more{number}", "completed", "one")
        assert len(engine.gated) == 3 + 2 + number + 1, "those that run, those that wait, and its own"
    assert len(engine.at_gates) == 2
    for name in jobs:
        end(engine, f"{name}-a")
    for name in jobs:
        assert {task.status for task in done(manager, engine, name).values()} == {"completed"}
    assert len(engine.executions) == len(set(engine.executions)) == 3 * 4 + 5


def test_an_image_without_a_gate_is_told_of_and_all_containers_are_cold(
    start: Start, engine: Noting, caplog: pytest.LogCaptureFixture
) -> None:
    engine.has_gate = False
    manager = start()
    with caplog.at_level(logging.WARNING):
        until(lambda: "no container is made ahead of time: the image" in caplog.text)
    tasks = {task.id: task for task in manager.run(a_task("a", command="short"), *CHAIN[1:]).tasks}
    assert starts(tasks) == [("cold", 1)] * 4
    assert engine.gated == []


def cold_and_once(tasks: dict[str, Task], engine: Noting, replaced: str = "b") -> None:
    """The task got another container, and no attempt of it is spent."""
    assert {task.status for task in tasks.values()} == {"completed"}
    (attempt,) = tasks[replaced].attempts
    assert (attempt.number, attempt.incarnation, attempt.start) == (1, 2, "cold")
    assert attempt.timings.created_at is not None and attempt.timings.ready_at is not None
    assert attempt.timings.created_at >= attempt.timings.ready_at
    assert len(engine.executions) == len(set(engine.executions)) == len(tasks)


def nobody_listens(manager: InProcess, container: str) -> None:
    """The gate of a container that has ended has left its FIFO."""
    fifo = Home(HOME_ID, manager.home).gate(container).fifo
    until(lambda: not _has_reader(fifo))


def _has_reader(fifo: Path) -> bool:
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def two_tasks(manager: InProcess, **fields: Any) -> Attempt:
    """A task that runs, and one for which a container waits meanwhile, with no retries to spend."""
    tasks = [a_task("a", command="long", **fields), a_task("b", "a", retries=0)]
    tried(manager).client.create_job("job", tasks)
    return waiting(manager, "b")


def test_a_gate_that_does_not_open_costs_no_task(start: Start, engine: Noting) -> None:
    manager = tried(start())
    two_tasks(manager)
    engine.deaf_gates = 1
    end(engine, "a")
    cold_and_once(done(manager, engine), engine)


@pytest.mark.parametrize("how", ["removed", "killed", "ended"])
def test_a_container_that_is_gone_before_its_turn_costs_no_task(
    start: Start, engine: Noting, how: str
) -> None:
    manager = start()
    container = two_tasks(manager).container.name
    if how == "removed":
        engine.kill(container)
    else:
        engine.finish(container, 137 if how == "killed" else 75)
    nobody_listens(manager, container)
    end(engine, "a")
    cold_and_once(done(manager, engine), engine)


def test_who_makes_a_gate_say_that_all_is_well_can_not_stay(
    start: Start, engine: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "LINGERING", 0.1)
    manager = tried(start())
    manager.client.create_job("job", [a_task("a", command="long", timeout=3600)])
    manager.until_status("a", "running")
    container = engine.find("a")
    assert container is not None
    engine.say_ended(container.id)
    task = done(manager, engine)["a"]
    assert (task.status, task.attempts[0].exit_code) == ("completed", 0)
    assert "signal" in [name for name, _ in engine.calls]


def test_gates_that_never_open_are_the_engines_failure_and_told_of(start: Start, engine: Noting) -> None:
    manager = tried(start())
    engine.deaf_gates = 100
    view = manager.run(a_task("a", retries=0))
    (attempt,) = view.tasks[0].attempts
    assert attempt.failure is not None
    assert (attempt.failure.cause, attempt.incarnation, attempt.exit_code) == ("engine", 5, None)
    assert "5 containers could not be used: its gate has left: short" in attempt.failure.message
    assert engine.executions == []


def test_a_container_that_was_refused_ahead_of_time_costs_no_task(start: Start, engine: Noting) -> None:
    """An image that is missing is nobody's failure as long as nobody needs it."""
    manager = tried(start())
    manager.client.create_job(
        "job", [a_task("a", command="long"), a_task("b", "a", image="late:1", retries=0), a_task("c", "b")]
    )
    until(lambda: ("fetch", "late:1") in engine.calls)
    assert (manager.task("b").status, manager.task("b").attempts) == ("pending", ())
    engine.images.add("late:1")
    end(engine, "a")
    tasks = done(manager, engine)
    (attempt,) = tasks["b"].attempts
    assert (tasks["b"].status, attempt.number, attempt.incarnation) == ("completed", 1, 1)
    assert len(engine.executions) == len(set(engine.executions)) == len(tasks)


def test_an_image_that_is_missing_fails_its_task_when_its_turn_has_come(start: Start, engine: Noting) -> None:
    manager = tried(start())
    manager.client.create_job("job", [a_task("a", command="long"), a_task("b", "a", image="no:1", retries=0)])
    until(lambda: ("fetch", "no:1") in engine.calls)
    end(engine, "a")
    tasks = done(manager, engine)
    assert statuses(manager.client.status("job")) == {"a": "completed", "b": "failed"}
    assert tasks["b"].failure is not None and tasks["b"].failure.cause == "image"


def test_what_waits_in_a_network_that_ends_is_replaced_and_nothing_is_stopped(
    start: Start, engine: Noting
) -> None:
    manager = start()
    old = two_tasks(manager, network="none").container.name
    engine.finish(next(name for name in engine.names if "-network-" in name), 137)
    incarnated(manager, "b", 2)
    assert old not in engine.names
    assert manager.task("a").status == "running"
    end(engine, "a")
    cold_and_once(done(manager, engine), engine)


@pytest.mark.parametrize("look_ahead", [4, 0])
def test_what_waits_is_found_again_after_a_restart_and_opened_once(
    start: Start, engine: Noting, look_ahead: int
) -> None:
    first = start()
    chain_that_waits(first)
    containers = {name: first.task(name).attempts[0].container for name in "bcd"}
    first.stop()
    second = start(look_ahead=look_ahead)
    until(lambda: not any(job.unsure for job in second.supervisor._jobs.values()))
    end(engine, "a")
    tasks = done(second, engine)
    assert {name: tasks[name].attempts[0].container for name in "bcd"} == containers
    assert starts(tasks) == [("cold", 1), ("ahead", 1), ("ahead", 1), ("ahead", 1)]
    assert engine.executions == ONCE_EACH


def test_a_turn_that_comes_while_no_manager_runs_is_taken_by_the_next(start: Start, engine: Noting) -> None:
    first = start()
    container = two_tasks(first).container
    first.stop()
    end(engine, "a")
    second = start()
    tasks = done(second, engine)
    assert tasks["b"].attempts[0].container == container
    assert engine.executions == ONCE_EACH[:2]


@pytest.mark.parametrize("how", ["removed", "ended"])
def test_what_ended_at_its_gate_while_no_manager_ran_costs_no_task(
    start: Start, engine: Noting, how: str
) -> None:
    first = start()
    container = two_tasks(first).container.name
    first.stop()
    if how == "removed":
        engine.kill(container)
    else:
        engine.finish(container, 75)
    nobody_listens(first, container)
    second = start()
    end(engine, "a")
    cold_and_once(done(second, engine), engine)


@pytest.mark.parametrize("call", ["create", "start"])
@pytest.mark.parametrize("then", ["waits", "ended", "removed"])
def test_a_manager_that_ends_before_it_knows_of_the_container_costs_no_task(
    start: Start, engine: Noting, monkeypatch: pytest.MonkeyPatch, call: str, then: str
) -> None:
    """The call takes effect, and nobody is told: by the journal it is claimed, or created."""
    first = tried(start())
    real = getattr(engine, call)

    def unheard(*arguments: Any) -> Any:
        found = real(*arguments)
        labels = arguments[0].labels if call == "create" else found.labels
        if labels.get(container_spec.TASK) == "b":
            raise EngineUnavailable("the connection broke before the answer came")
        return found

    with monkeypatch.context() as broken:
        broken.setattr(engine, call, unheard)
        first.client.create_job("job", [a_task("a", command="long"), a_task("b", "a", retries=0)])
        first.until_status("a", "running")
        container = until(lambda: engine.find("b"))
        assert container is not None
        if call == "start":
            until(lambda: engine.at_gates)
        first.stop()
    if then == "ended" and call == "start":
        engine.finish(container.id, 75)
    elif then == "removed":
        engine.kill(container.id)
    if then != "waits":
        nobody_listens(first, container.name)
    second = tried(start())
    until(lambda: not any(job.unsure for job in second.supervisor._jobs.values()))
    end(engine, "a")
    tasks = done(second, engine)
    assert {task.status for task in tasks.values()} == {"completed"}
    assert len(tasks["b"].attempts) == 1
    assert engine.executions == ONCE_EACH[:2]


def test_a_cancel_that_was_asked_for_while_no_manager_ran_throws_away_what_waits(
    start: Start, engine: Noting
) -> None:
    first = start()
    chain_that_waits(first)
    first.stop()
    first.client.cancel("job")
    tasks = done(start(), engine)
    never_executed(tasks, "cancelled")
    assert engine.executions == [("job", "a", 1)]


def test_folders_of_gates_that_serve_nobody_are_gone_after_a_restart(start: Start, engine: Noting) -> None:
    first = start()
    container = two_tasks(first).container.name
    running = first.task("a").attempts[0].container.name
    first.stop()
    (first.home / "gates" / "airx-gone" / "receipt").mkdir(parents=True)
    second = tried(start())
    assert gates(second.home) == {"bin", container, running}
    end(engine, "a")
    done(second, engine)


@pytest.mark.parametrize("ended_meanwhile", [False, True])
def test_an_engine_that_goes_away_for_a_while_loses_nothing_that_waits(
    start: Start, engine: Noting, ended_meanwhile: bool
) -> None:
    manager = start()
    container = two_tasks(manager).container
    engine.go_down()
    if ended_meanwhile:
        engine.finish(manager.task("a").attempts[0].container.name)
    until(lambda: manager.monitor.description != "Fake 1.0")
    engine.come_back()
    if not ended_meanwhile:
        end(engine, "a")
    tasks = done(manager, engine)
    assert (tasks["b"].attempts[0].container, starts(tasks)[1]) == (container, ("ahead", 1))
    assert engine.executions == ONCE_EACH[:2]


@pytest.mark.parametrize("call", ["create", "start", "follow", "wait", "observe", "remove"])
def test_a_reply_that_is_lost_in_a_chain_costs_no_task_and_doubles_none(
    start: Start, engine: Noting, call: str
) -> None:
    manager = tried(start())
    engine.lose_reply(call, times=3)
    manager.client.create_job("job", [a_task("a", command="short"), *CHAIN[1:]])
    tasks = done(manager, engine)
    assert {task.status for task in tasks.values()} == {"completed"}
    assert all(len(task.attempts) == 1 for task in tasks.values())
    assert engine.executions == ONCE_EACH
    assert manager.log("c") == "hi\n"


@pytest.mark.parametrize("call", ["observe", "remove"])
def test_a_reply_that_is_lost_while_what_waits_is_thrown_away_is_asked_for_again(
    start: Start, engine: Noting, call: str
) -> None:
    manager = start()
    chain_that_waits(manager)
    engine.lose_reply(call, times=3)
    manager.client.cancel("job")
    never_executed(done(manager, engine), "cancelled")
    assert engine.executions == [("job", "a", 1)]


def test_a_command_that_is_missing_fails_its_task_as_without_a_gate(start: Start, engine: Noting) -> None:
    manager = tried(start())
    bad = a_task("bad", "a", command="nothing")
    manager.client.create_job("job", [a_task("a", command="long"), bad])
    waiting(manager, "bad")
    end(engine, "a")
    ahead = done(manager, engine)["bad"]
    manager.run(a_task("bad", command="nothing"), name="cold")
    cold = done(manager, engine, "cold")["bad"]
    assert (ahead.attempts[0].start, cold.attempts[0].start) == ("ahead", "cold")
    assert ahead.status == cold.status == "failed"
    assert ahead.failure == cold.failure
    assert ahead.failure is not None
    assert (ahead.failure.cause, ahead.failure.exit_code) == ("command", 127)
    assert ahead.attempts[0].exit_code == cold.attempts[0].exit_code == 127


def test_the_record_names_no_log_that_is_not_there(start: Start, engine: Noting) -> None:
    manager = tried(start())
    manager.client.create_job("job", [a_task("a", command="long"), a_task("bad", "a", command="nothing")])
    waiting(manager, "bad")
    end(engine, "a")
    log = done(manager, engine)["bad"].attempts[0].log
    assert log is None or (manager.home / "jobs/job" / log).exists()


def test_an_engine_that_went_away_while_gates_were_tried_has_them_tried_again(
    start: Start, engine: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.runtime.engine_monitor.RETRY", 0.1)
    engine.refuse("read_file", EngineUnavailable("the container engine does not answer"))
    real = engine.start
    tries: list[str] = []

    def first_time_none(container: str) -> Observation:
        box = engine._find(container)
        if container_spec.GATED in box.spec.labels:
            tries.append(container)
            if len(tries) == 1:
                raise EngineUnavailable("the container engine does not answer")
        return real(container)

    monkeypatch.setattr(engine, "start", first_time_none)
    manager = tried(start())
    assert len(tries) == 2
    two_tasks(manager)
    end(engine, "a")
    assert starts(done(manager, engine))[1] == ("ahead", 1)


def test_a_dependency_that_ends_while_the_container_is_being_made_is_followed_at_once(
    start: Start, engine: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its turn comes between the claim and the gate: the container that is under way is the one it gets."""
    manager = tried(start())
    real = engine.create

    def late(spec: ContainerSpec, network: ContainerSpec | None) -> Observation:
        if spec.labels.get(container_spec.TASK) == "b":
            end(engine, "a")
            manager.until_status("a", "completed")
        return real(spec, network)

    monkeypatch.setattr(engine, "create", late)
    manager.client.create_job("job", CHAIN[:2])
    tasks = done(manager, engine)
    assert starts(tasks)[1] == ("ahead", 1)
    times = tasks["b"].attempts[0].timings
    assert times.ready_at is not None and times.created_at is not None
    assert times.ready_at <= times.created_at
    assert engine.executions == ONCE_EACH[:2]
