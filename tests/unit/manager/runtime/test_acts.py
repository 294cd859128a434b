"""What each action asks of the engine: a whole manager on the strict fake engine."""

from pathlib import Path
from typing import Any

import pytest

from air_executor.clock import utc_now
from manager.engine.contract import EngineError, Status
from manager.model import container_spec, containers
from manager.model.home import Home
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import Start, a_task
from tests.unit.manager.builders import settings
from tests.waiting import until


@pytest.mark.parametrize("call", ["create", "start"])
def test_a_refusal_of_the_engine_fails_the_attempt_and_is_retried_by_policy(
    start: Start, engine: FakeEngine, call: str
) -> None:
    manager = start(look_ahead=0)
    until(lambda: "containers" in [name for name, _ in engine.calls])  # the probe is over
    engine.refuse(call, EngineError("no space left on device"))
    view = manager.run(a_task("a", retries=1))
    assert view.state == "completed"
    failure = view.tasks[0].attempts[0].failure
    assert failure is not None
    assert (failure.cause, "no space left" in failure.message) == ("engine", True)
    assert engine.executions == [("job", "a", 2)]


def test_a_name_that_is_taken_by_somebody_else_is_left_alone_and_another_is_used(
    start: Start, engine: FakeEngine
) -> None:
    """FAULTS 15, on the fake: the manager's next name is foreseen, and taken."""
    manager = start()
    spec = containers.probe_container(Path("/"), "x", Home("another", Path("/")), settings())
    real = engine.create
    taken: list[str] = []

    def create(asked: Any, network: Any) -> Any:
        if asked.labels[container_spec.ROLE] == "task" and not taken:
            taken.append(asked.name)
            foreign = spec.__class__(
                **{name: getattr(spec, name) for name in spec.__slots__} | {"name": asked.name}
            )
            engine.plant(
                foreign, status=Status.EXITED, exit_code=0, started_at=utc_now(), finished_at=utc_now()
            )
        return real(asked, network)

    engine.create = create  # type: ignore[method-assign]
    view = manager.run(a_task("a", retries=0))
    (attempt,) = view.tasks[0].attempts
    assert (view.state, attempt.incarnation, attempt.container.name) == ("completed", 2, f"{taken[0]}.2")
    # The foreign container is still there; that by which gates are tried may be so for a moment.
    until(lambda: engine.names == taken)


def test_an_attempt_that_never_began_for_want_of_its_network_gets_another_container_and_no_retry_is_spent(
    start: Start, engine: FakeEngine
) -> None:
    manager = start()
    manager.client.create_job(
        "job", [a_task("first", command="long"), a_task("a", retries=0)], max_parallel=1
    )
    manager.until_status("first", "running")
    begin = engine.start

    def lose_network(container: str) -> Any:
        if engine.find("a") is not None:
            engine.start = begin  # type: ignore[method-assign]
            engine.kill(next(name for name in engine.names if "-network-" in name))
        return begin(container)

    engine.start = lose_network  # type: ignore[method-assign]
    engine.finish(engine.find("first").id, 0)  # type: ignore[union-attr]
    view = manager.client.wait("job", 10)
    (attempt,) = view.tasks[1].attempts
    assert (view.state, attempt.number, attempt.incarnation) == ("completed", 1, 2)
    assert engine.executions == [("job", "first", 1), ("job", "a", 1)]


@pytest.mark.parametrize("call", ["observe", "restarted_since"])
def test_an_engine_that_refuses_to_tell_after_a_restart_is_asked_again(
    start: Start, engine: FakeEngine, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.engine.retry.LONGEST_PAUSE", 0.1)
    first = start()
    first.client.create_job("job", [a_task("a", command="long")])
    first.until_status("a", "running")
    first.stop()
    engine.refuse(call, EngineError("something went wrong"))
    container = engine.find("a")
    assert container is not None
    engine.finish(container.id)
    second = start()
    assert second.client.wait("job", 10).state == "completed"
