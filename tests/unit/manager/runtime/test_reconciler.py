"""The engine beside the record, at polls and after a restart: a whole manager on the strict fake engine."""

from pathlib import Path

from air_executor.clock import utc_now
from manager.model.home import Home
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import HOME_ID, Start, a_task
from tests.unit.manager.builders import container, key, task
from tests.waiting import until


def test_an_engine_that_is_not_there_is_waited_for(start: Start, engine: FakeEngine) -> None:
    """FAULTS 12, on the fake."""
    engine.go_down()
    manager = start()
    manager.client.create_job("job", [a_task("a")])
    until(lambda: manager.state()["state"] == "working")
    until(lambda: [name for name, _ in engine.calls].count("describe") >= 2)
    assert manager.task("a").attempts == (), "nothing is claimed while nobody can serve it"
    assert "does not answer" in manager.monitor.description
    engine.come_back()
    assert manager.client.wait("job", 15).state == "completed"


def test_an_orphan_of_this_home_is_swept_and_a_foreign_one_is_not(start: Start, engine: FakeEngine) -> None:
    mine, other = (Home(identity, Path("/")) for identity in (HOME_ID, "another"))
    specs = [container(task("x"), key("x"), job="gone", home=home) for home in (mine, other)]
    for spec in specs:
        engine.plant(spec, outcome_seen=True)
    start()
    until(lambda: engine.names == [specs[1].name])


def test_a_network_that_ends_ends_what_runs_in_it_with_the_engine_as_cause(
    start: Start, engine: FakeEngine
) -> None:
    manager = start()
    manager.client.create_job(
        "job", [a_task("a", command="long", retries=0), a_task("b", command="long", network="none")]
    )
    for name in "ab":
        manager.until_status(name, "running")
    engine.finish(next(name for name in engine.names if "-network-" in name), 137)
    failed = manager.until_status("a", "failed")
    assert failed.failure is not None
    assert failed.failure.cause == "engine"
    assert manager.task("b").status == "running"


def test_a_restart_takes_up_what_runs_and_what_waits(start: Start, engine: FakeEngine) -> None:
    first = start()
    first.client.create_job("job", [a_task("a", command="long"), a_task("b", "a")])
    first.until_status("a", "running")
    first.stop()
    second = start()
    container = engine.find("a")
    assert container is not None
    engine.finish(container.id, output=b"still me\n")
    view = second.client.wait("job", 10)
    assert view.state == "completed"
    assert engine.executions == [("job", "a", 1), ("job", "b", 1)]
    assert view.tasks[0].attempts[0].container.id == container.id
    assert second.log("a") == "still me\n"


def test_what_ended_while_no_manager_ran_is_recorded_with_its_own_times(
    start: Start, engine: FakeEngine
) -> None:
    first = start()
    first.client.create_job("job", [a_task("a", command="long")])
    first.until_status("a", "running")
    first.stop()
    container = engine.find("a")
    assert container is not None
    engine.finish(container.id, 3, output=b"unheard\n")
    ended_at = utc_now()
    view = start().client.wait("job", 10)
    attempt = view.tasks[0].attempts[0]
    assert attempt.exit_code == 3
    assert attempt.timings.finished_at is not None
    assert attempt.timings.finished_at <= ended_at
    assert (first.home / "jobs/job/logs/a.log").read_text() == "unheard\n"
