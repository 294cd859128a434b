"""What a task gets that says nothing of memory follows the engine's host, on the strict fake."""

from collections.abc import Iterator

import pytest

from manager.model.container_spec import ROLE
from manager.model.facts import EngineChanged
from manager.model.values import Host
from tests.fakes.engine import NotingEngine
from tests.fakes.manager import InProcess, Start, a_task
from tests.waiting import until


@pytest.fixture
def engine() -> Iterator[NotingEngine]:
    made = NotingEngine({})
    made.runs_on = Host(cpus=4, memory_mb=24_105)
    yield made
    made.check()


def memory(manager: InProcess, job: str) -> tuple[int, str]:
    """Of the job's one attempt, and how that began."""
    (attempt,) = manager.run(a_task("a", command="echo hi", retries=0), name=job).tasks[0].attempts
    assert attempt.grant is not None
    return attempt.grant.memory_mb, attempt.start


def waits(manager: InProcess) -> bool:
    return bool(manager.pool.ready) and not manager.pool.making


def test_a_task_gets_its_share_of_the_host(start: Start) -> None:
    assert memory(start(max_runners=10), "cold") == (1792, "cold")


def test_so_has_a_container_that_waits(start: Start, engine: NotingEngine) -> None:
    manager = start(warm=1)
    until(lambda: waits(manager))
    assert {spec.memory_bytes >> 20 for spec in engine.specs if spec.labels[ROLE] == "warm"} == {1792}
    assert memory(manager, "warm") == (1792, "warm")


def test_containers_that_wait_are_made_anew_where_the_host_is_another(
    start: Start, engine: NotingEngine
) -> None:
    manager = start(warm=1)
    until(lambda: waits(manager))
    before = set(manager.pool.ready)
    engine.runs_on = Host(cpus=4, memory_mb=8192)
    manager.facts.put(EngineChanged(answers=True, description="Docker", host=engine.runs_on))
    until(lambda: waits(manager) and not before & set(manager.pool.ready))
    assert memory(manager, "another") == (576, "warm")
