"""What the engine has, against what the journals say."""

from typing import Any

import pytest

from air_executor.models import Phase
from manager import container_spec, planner, recovery
from manager.actions import Create, Remove, Start, TakeStock, Watch
from manager.facts import Found, Listed, StockTaken
from manager.live_job import LiveJob
from manager.recovery import orphans, without_network
from tests.unit.manager.builders import (
    HOME,
    OWNER,
    UID,
    at,
    claimed,
    created,
    exited,
    key,
    live_job,
    removed,
    settings,
    started,
    task,
)

OTHER = "f" * 32


def listed(name: str, of: Any = None, ended: bool = False) -> Listed:
    spec = container_spec.task_container("job", task(of.task), of, "/job", OWNER, HOME, settings())
    return Listed(name, spec.labels, ended)


def network(uid: str, ended: bool = False) -> Listed:
    return Listed("net", container_spec.network_container("job", uid, HOME, settings()).labels, ended)


def running() -> LiveJob:
    job = live_job(task("a", retries=1), task("b"))
    for fact in (claimed(key("a")), created(key("a")), started(key("a"))):
        job.apply(fact)
    return job


def test_containers_of_live_attempts_and_networks_of_live_jobs_serve() -> None:
    assert orphans([listed("c1", key("a")), network(UID)], {UID: running()}) == set()


@pytest.mark.parametrize(
    "container",
    [
        listed("x", key("a", uid=OTHER)),
        listed("x", key("a", 2)),
        listed("x", key("a", incarnation=2)),
        listed("x", key("b")),
        listed("x", key("stranger")),
        Listed("x", {}, False),
        Listed("x", {"air-executor.role": "task", "air-executor.job-uid": UID}, False),
        Listed("x", {"air-executor.role": "unheard-of", "air-executor.job-uid": UID}, False),
        Listed("x", container_spec.network_container("job", OTHER, HOME, settings()).labels, False),
    ],
    ids=[
        "other job",
        "later attempt",
        "later incarnation",
        "never claimed",
        "no such task",
        "no labels",
        "few labels",
        "unknown role",
        "network of another job",
    ],
)
def test_what_serves_no_live_attempt_and_no_live_job_is_an_orphan(container: Listed) -> None:
    assert orphans([container], {UID: running()}) == {"x"}


def test_a_container_whose_outcome_is_recorded_is_nobodys_orphan_until_it_was_removed() -> None:
    job = running()
    job.apply(exited(key("a"), 1))
    assert orphans([listed("c1", key("a"))], {UID: job}) == set()
    job.apply(removed(key("a")))
    assert orphans([listed("c1", key("a"))], {UID: job}) == {"c1"}


def test_the_container_of_the_attempt_before_is_an_orphan() -> None:
    job = running()
    for fact in (exited(key("a"), 1), removed(key("a")), claimed(key("a", 2))):
        job.apply(fact)
    assert orphans([listed("one", key("a", 1)), listed("two", key("a", 2))], {UID: job}) == {"one"}


def test_a_probe_that_a_killed_manager_left_behind_is_an_orphan() -> None:
    """The probe is over before the containers are listed: one that is listed serves nobody."""
    probe = container_spec.probe_container("/probe", "00ff", HOME, settings())
    assert orphans([Listed("p", probe.labels, True)], {UID: running()}) == {"p"}


def test_a_job_whose_network_is_held_is_not_without_one() -> None:
    assert without_network([network(UID)], {UID: running()}) == set()


@pytest.mark.parametrize("found", [[], [network(UID, ended=True)], [network(OTHER)]])
def test_running_tasks_whose_network_nobody_holds_any_more(found: list[Listed]) -> None:
    assert without_network(found, {UID: running()}) == {UID}


def test_a_job_where_nothing_runs_needs_no_network() -> None:
    assert without_network([], {UID: live_job(task("a"))}) == set()


def test_tasks_with_a_network_of_their_own_do_not_need_the_jobs() -> None:
    job = live_job(task("a", network="none"))
    for fact in (claimed(key("a")), created(key("a")), started(key("a"))):
        job.apply(fact)
    assert without_network([], {UID: job}) == set()


@pytest.mark.parametrize("phase", [Phase.CLAIMED, Phase.CREATED, Phase.RUNNING])
@pytest.mark.parametrize("found", list(Found))
def test_the_table_has_a_verdict_for_whatever_a_manager_may_find(phase: Phase, found: Found) -> None:
    assert (phase, found) in recovery.TABLE


FRESH = {
    Phase.CLAIMED: [claimed],
    Phase.CREATED: [claimed, created],
    Phase.RUNNING: [claimed, created, started],
}


@pytest.mark.parametrize(
    ("phase", "found", "wanted"),
    [
        (Phase.CLAIMED, Found.MISSING, Create),
        (Phase.CLAIMED, Found.CREATED, Start),
        (Phase.CLAIMED, Found.RUNNING, Watch),
        (Phase.CLAIMED, Found.EXITED, Watch),
        (Phase.CREATED, Found.CREATED, Start),
        (Phase.CREATED, Found.RUNNING, Watch),
        (Phase.CREATED, Found.EXITED, Watch),
        (Phase.RUNNING, Found.RUNNING, Watch),
        (Phase.RUNNING, Found.EXITED, Watch),
        (Phase.CLAIMED, Found.FOREIGN, "engine"),
        (Phase.CREATED, Found.MISSING, "lost"),
        (Phase.CREATED, Found.FOREIGN, "lost"),
        (Phase.RUNNING, Found.MISSING, "lost"),
        (Phase.RUNNING, Found.CREATED, "lost"),
        (Phase.RUNNING, Found.FOREIGN, "lost"),
    ],
)
def test_after_a_restart_each_attempt_is_looked_for_and_goes_on_as_it_must(
    phase: Phase, found: Found, wanted: Any
) -> None:
    job = live_job(task("a", retries=0))
    for fact in FRESH[phase]:
        job.apply(fact(key("a")))
    job.recall()
    assert list(planner.actions([job])) == [TakeStock(key("a"))]
    stock = StockTaken(key("a"), found, at(9), "id-a-1", "sha256:image", at(2), at(3))
    for conclusion in recovery.conclusions(job.tasks["a"].attempts[-1], stock):
        job.apply(conclusion)
    job.apply(stock)
    (action,) = planner.actions([job])
    if isinstance(wanted, str):
        failure = job.tasks["a"].failure
        assert failure is not None and failure.cause == wanted
        assert action == Remove(key("a"))
    else:
        assert action == wanted(key("a"))


def test_ends_that_nobody_has_noticed_are_found_in_the_engines_list() -> None:
    job = running()
    name = job.tasks["a"].attempts[-1].container.id
    assert name is not None
    assert recovery.unnoticed([listed(name, key("a"))], {UID: job}) == set()
    assert recovery.unnoticed([listed(name, key("a"), ended=True)], {UID: job}) == {key("a")}
    assert recovery.unnoticed([], {UID: job}) == {key("a")}
