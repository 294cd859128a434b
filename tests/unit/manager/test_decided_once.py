"""What is decided at the claim stays so, whatever the manager after this one would decide.

The names of its container and its network, and what the attempt gets, are read from the journal.
"""

import hashlib
import json
from collections.abc import Iterator

import pytest

from air_executor.failpoints import Failpoint
from manager.folder.journal import Remembered, peek
from manager.model import containers
from manager.model.container_spec import ROLE, TASK
from tests.fakes.death import Death
from tests.fakes.engine import NotingEngine, Program
from tests.fakes.manager import InProcess, Start, a_task
from tests.waiting import until

ONCE = [("job", "a", 1), ("job", "b", 1), ("job", "c", 1)]


@pytest.fixture
def engine() -> Iterator[NotingEngine]:
    made = NotingEngine({("long",): Program(seconds=None)})
    yield made
    made.check()


@pytest.fixture
def death(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Death:
    """Where a manager ends."""
    return Death(monkeypatch, request.param)


def other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on everything is called by another rule."""

    def name(*what: object) -> str:
        return f"airx-other-{hashlib.sha256(repr(what).encode()).hexdigest()[:20]}"

    for rule in ("container_name", "network_name", "warm_name"):
        monkeypatch.setattr(containers, rule, lambda *what, rule=rule: name(rule, *what))
    monkeypatch.setattr(containers, "successor", lambda of: name("successor", of))


def chain() -> list[dict[str, object]]:
    return [a_task("a"), a_task("b", "a"), a_task("c", "b")]


def ready(manager: InProcess) -> InProcess:
    """The manager, when it knows what can be done here, and has what waits for a job."""
    until(lambda: manager.scheduler.capabilities.gates is None or not manager.settings.look_ahead)
    until(lambda: len(manager.pool.ready) == manager.settings.warm)
    return manager


def journaled(manager: InProcess) -> Remembered:
    """What its journal tells of the one job."""
    (record,) = peek(manager.home / "journal")
    return record


def nothing_left(manager: InProcess, engine: NotingEngine) -> None:
    """But for what waits for nobody yet."""

    def clean() -> bool:
        others = [
            each for each in engine.names if not any(each.startswith(name) for name in manager.pool.names)
        ]
        return not manager.pool.making and not others

    until(clean)


ANYWHERE = (
    Failpoint.CREATED_UNRECORDED,
    Failpoint.STARTED_UNRECORDED,
    Failpoint.EXIT_UNRECORDED,
    Failpoint.REMOVED_UNRECORDED,
)
AT_A_GATE = (Failpoint.WAITING_UNRECORDED, Failpoint.GATE_SHUT, Failpoint.GATE_OPENED)
COLD, AHEAD, WARM = {"look_ahead": 0}, {"look_ahead": 8}, {"look_ahead": 8, "warm": 1}
CASES = [
    *((COLD, point) for point in ANYWHERE),
    *((how, point) for how in (AHEAD, WARM) for point in (*ANYWHERE, *AT_A_GATE)),
]


@pytest.mark.parametrize(("how", "death"), CASES, indirect=["death"], ids=str)
def test_under_another_naming_rule_nothing_is_lost_and_nothing_doubled(
    start: Start,
    engine: NotingEngine,
    monkeypatch: pytest.MonkeyPatch,
    how: dict[str, int],
    death: Death,
) -> None:
    first = ready(start(**how))
    first.client.create_job("job", chain())
    death.come(first)
    network = journaled(first).job.network
    assert network is not None
    other_names(monkeypatch)
    second = start(**how)
    view = second.client.wait("job", 20)
    assert view.state == "completed", view.job.failure
    assert sorted(engine.executions) == ONCE
    assert [len(task.attempts) for task in view.tasks] == [1, 1, 1]
    assert view.job.network == network, "the job keeps the network that it had"
    nothing_left(second, engine)


def test_what_was_running_under_the_old_names_is_followed_signalled_and_removed(
    start: Start, engine: NotingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start()
    first.client.create_job("job", [a_task("a", command="long"), a_task("b", "a")])
    running = first.until_status("a", "running").attempts[0].container
    first.stop()
    other_names(monkeypatch)
    second = start()
    second.client.cancel("job")
    view = second.client.wait("job", 10)
    assert view.job.failure is not None and view.job.failure.cause == "cancelled"
    assert [attempt.container.id for attempt in view.tasks[0].attempts] == [running.id]
    nothing_left(second, engine)


@pytest.mark.parametrize(
    "death", [Failpoint.CREATED_UNRECORDED, Failpoint.WAITING_UNRECORDED], indirect=True, ids=str
)
def test_what_an_attempt_gets_is_what_it_was_claimed_with_whatever_the_settings_say_now(
    start: Start, engine: NotingEngine, death: Death
) -> None:
    before = {"memory_mb": 100, "cpus": 0.5, "pids": 30, "tmp_mb": 8, "log_mb": 2, "timeout": 77.0}
    after = {"memory_mb": 200, "cpus": 2.0, "pids": 60, "tmp_mb": 16, "log_mb": 4, "timeout": 55.0}
    first = ready(start(**before))
    first.client.create_job("job", chain())
    death.come(first)
    claimed = {
        task.id: task.attempts[0].grant
        for task in journaled(first).tasks
        if task.attempts and task.attempts[0].grant is not None
    }
    assert claimed
    second = start(**after)
    view = second.client.wait("job", 20)
    assert view.state == "completed", view.job.failure
    assert sorted(engine.executions) == ONCE
    for task in view.tasks:
        (attempt,) = task.attempts
        assert attempt.grant is not None
        expected = before if task.id in claimed else after
        assert {name: getattr(attempt.grant, name) for name in expected} == expected
    made = {spec.labels[TASK]: spec for spec in engine.specs if spec.labels[ROLE] == "task"}
    for task_id, grant in claimed.items():
        assert made[task_id].memory_bytes == grant.memory_mb << 20
        assert (made[task_id].cpus, made[task_id].pids) == (grant.cpus, grant.pids)


def test_a_grant_is_shown_with_its_attempt(start: Start, engine: NotingEngine) -> None:
    manager = start(memory_mb=100)
    manager.run(a_task("a", timeout=9, network="none"))
    (task,) = json.loads((manager.home / "jobs" / "job" / "tasks.json").read_text())
    grant = task["attempts"][0]["grant"]
    assert (grant["memory_mb"], grant["timeout"], grant["network"]["kind"]) == (100, 9, "none")
    assert grant["image"] == task["attempts"][0]["container"]["image"]
