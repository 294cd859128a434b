"""What tasks' networks are held by: a whole manager on the strict fake engine."""

from collections.abc import Mapping

import pytest

from manager.model.container_spec import GUARD, ROLE, TASK
from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import HOME_ID, Start, a_task
from tests.waiting import until


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


def holders(engine: FakeEngine) -> list[Mapping[str, str]]:
    found = engine.containers(HOME_ID)
    return [each.labels for each in found if each.labels[ROLE] == "network"]


def test_a_jobs_network_is_guarded(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", command="sleep infinity")])
    manager.until_status("a", "running")
    (labels,) = holders(engine)
    assert GUARD in labels


def test_a_task_that_wants_a_network_of_its_own_has_one_that_is_guarded_and_goes_with_it(
    start: Start, engine: FakeEngine
) -> None:
    manager = start(sweep_after=3600)
    tasks = [a_task("a", command="sleep infinity"), a_task("b", command="sleep infinity", network="private")]
    manager.client.create_job("job", tasks)
    for name in ("a", "b"):
        manager.until_status(name, "running")
    of_the_job, of_the_task = sorted(holders(engine), key=lambda labels: TASK in labels)
    assert GUARD in of_the_job
    assert GUARD in of_the_task
    b = engine.find("b")
    assert b is not None
    engine.finish(b.id)
    until(lambda: holders(engine) == [of_the_job])


@pytest.mark.parametrize("egress", ["open", "none"])
def test_without_netguard_tasks_run_only_where_no_egress_is_promised(
    start: Start, engine: FakeEngine, egress: str
) -> None:
    engine.netguard = Program(start_fails="there is no such command")
    manager = start(egress=egress)
    if egress == "open":
        assert manager.run(a_task("a")).state == "completed"
        return
    manager.client.create_job("job", [a_task("a")])
    until(lambda: "the setting egress can't be kept to" in manager.monitor.description)
    until(lambda: manager.state()["state"] == "working")
    assert engine.executions == []
