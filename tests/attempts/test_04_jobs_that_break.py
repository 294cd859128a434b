"""Job writer: a job with something in it that breaks what the manager's own thread does with it.

There is one such thread for all jobs. What breaks in it while it is about one job, ends that job and no
other; what is about none, ends the process, which is started again.
"""

from collections.abc import Callable
from typing import Any

import pytest

from manager.core import admission, planner, policy
from manager.core.live_job import LiveJob
from manager.model.facts import ContainerStarted, JobBroken, JobEnded
from manager.runtime.dispatcher import Dispatcher
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import InProcess, Start, a_task
from tests.waiting import until

BAD = "bad"


def is_bad(*arguments: Any) -> bool:
    """Whether what is done is about the job of that name."""
    for each in arguments:
        if isinstance(each, LiveJob) and each.name == BAD:
            return True
        if getattr(each, "job_name", getattr(each, "name", None)) == BAD:
            return True
        if isinstance(each, list) and any(map(is_bad, each)):
            return True
    return False


def breaks(does: Callable[..., Any], when: Callable[..., bool] = is_bad) -> Callable[..., Any]:
    def call(*arguments: Any, **fields: Any) -> Any:
        if when(*arguments, *fields.values()):
            raise KeyError("of all things")
        return does(*arguments, **fields)

    return call


def a_neighbour_runs(manager: InProcess) -> None:
    assert manager.run(a_task("innocent"), name="neighbour", seconds=10).state == "completed"
    until(lambda: manager.supervisor.runners == 0)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(policy, "grant"), (Dispatcher, "hand_out"), (Dispatcher, "prefetch")],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_a_job_about_which_something_breaks_once_fails_by_name_and_its_neighbours_go_on(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    does, met = getattr(owner, name), list[bool]()

    def once(*arguments: Any, **fields: Any) -> Any:
        if not met and is_bad(*arguments):
            met.append(True)
            raise KeyError("of all things")
        return does(*arguments, **fields)

    monkeypatch.setattr(owner, name, once)
    manager = start(max_runners=1)
    manager.client.create_job(BAD, [a_task("a"), a_task("b", "a")])
    view = manager.client.wait(BAD, 10)
    assert met and view.job.failure is not None
    assert view.job.failure.cause == "engine"
    assert "an error of its own, KeyError: see manager.log" in view.job.failure.message
    a_neighbour_runs(manager)


def test_a_fact_that_breaks_its_job_stops_what_runs_of_it(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, met = LiveJob._step, list[bool]()

    def once(job: LiveJob, fact: Any) -> None:
        if isinstance(fact, ContainerStarted) and job.name == BAD and not met:
            step(job, fact)
            met.append(True)
            raise KeyError("of all things")
        step(job, fact)

    monkeypatch.setattr(LiveJob, "_step", once)
    manager = start(max_runners=1)
    manager.client.create_job(BAD, [a_task("a", command="long")])
    view = manager.client.wait(BAD, 10)
    assert view.job.failure is not None and view.job.failure.cause == "engine"
    a_neighbour_runs(manager)


@pytest.mark.parametrize(
    ("owner", "name"), [(planner, "actions"), (Dispatcher, "hand_out"), (policy, "grant")]
)
def test_a_job_about_which_everything_breaks_harms_no_other(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    monkeypatch.setattr(owner, name, breaks(getattr(owner, name)))
    manager = start(max_runners=2)
    manager.client.create_job(BAD, [a_task("a")])
    until(lambda: manager.supervisor._broken)
    a_neighbour_runs(manager)


def test_a_job_that_breaks_twice_stands_still_and_status_names_it(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = breaks(
        LiveJob.apply, lambda job, fact: job.name == BAD and isinstance(fact, JobBroken | JobEnded)
    )
    monkeypatch.setattr(LiveJob, "apply", twice)
    manager = start()
    manager.client.create_job(BAD, [a_task("a")])
    until(lambda: manager.problem is not None and f"manager's own: {BAD}" in manager.problem)
    a_neighbour_runs(manager)


def test_a_folder_that_breaks_its_admission_is_left_where_it_is(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(admission, "take", breaks(admission.take))
    manager = start()
    manager.client.create_job(BAD, [a_task("a")])
    until(lambda: f"job={BAD} JobFound met an error" in caplog.text)
    a_neighbour_runs(manager)


def test_a_journal_that_breaks_its_taking_up_keeps_no_other_job_from_it(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start()
    for name in (BAD, "good"):
        first.client.create_job(name, [a_task("a", command="long")])
        first.until_status("a", "running", name)
    first.stop()
    monkeypatch.setattr(policy, "with_grant", breaks(policy.with_grant))
    second = start()
    until(lambda: second.problem is not None and BAD in second.problem)
    container = next(name for name in engine.names if "-good-a-" in name)
    engine.finish(container)
    assert second.client.wait("good", 10).state == "completed"
