"""What the engine has, against what the journals say."""

from pathlib import Path
from typing import Any

import pytest

from air_executor.format.attempts import Phase
from manager.core import planner, recovery
from manager.core.live_job import LiveJob
from manager.core.reconcile import orphans, unnoticed, without_network
from manager.core.recovery import Verdict
from manager.model import containers
from manager.model.actions import Create, Drop, Inspect, Open, Remove, Replace, Start, Watch
from manager.model.facts import CancelRequested, Inspected, JobFact, Listed, NetworkLost
from manager.model.values import Found
from tests.unit.manager.builders import (
    HOME,
    UID,
    ahead,
    at,
    claimed,
    container,
    created,
    exited,
    key,
    live_job,
    needed,
    removed,
    settings,
    started,
    task,
    voided,
    waits,
)
from tests.unit.manager.builders import (
    network as network_of,
)

OTHER = "f" * 32


def listed(name: str, of: Any = None, ended: bool = False) -> Listed:
    spec = container(task(of.task), of)
    return Listed(container=name, name=spec.name, labels=spec.labels, ended=ended)


def network(uid: str, ended: bool = False) -> Listed:
    spec = network_of(uid)
    return Listed(container="net", name=spec.name, labels=spec.labels, ended=ended)


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
        Listed(container="x", name="x", labels={}, ended=False),
        Listed(
            container="x",
            name="x",
            labels={"air-executor.role": "task", "air-executor.job-uid": UID},
            ended=False,
        ),
        Listed(
            container="x",
            name="x",
            labels={"air-executor.role": "unheard-of", "air-executor.job-uid": UID},
            ended=False,
        ),
        Listed(
            container="x",
            name="x",
            labels=network_of(OTHER).labels,
            ended=False,
        ),
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
    probe = containers.probe_container(Path("/probe"), "00ff", HOME, settings())
    assert orphans([Listed(container="p", name="p", labels=probe.labels, ended=True)], {UID: running()}) == {
        "p"
    }


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
    assert list(planner.actions([job])) == [Inspect(key("a"))]
    inspected = Inspected(
        key=key("a"),
        found=found,
        at=at(9),
        container_id="id-a-1",
        image_id="sha256:image",
        created_at=at(2),
        started_at=at(3),
    )
    for conclusion in recovery.conclusions(job.tasks["a"].attempts[-1], inspected):
        job.apply(conclusion)
    job.apply(inspected)
    (action,) = planner.actions([job])
    if wanted is Watch:
        taken_up = job.tasks["a"].attempts[-1]
        assert (taken_up.container.image_id, taken_up.timings.created_at) == ("sha256:image", at(2))
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
    assert unnoticed([listed(name, key("a"))], {UID: job}) == set()
    assert unnoticed([listed(name, key("a"), ended=True)], {UID: job}) == {key("a")}
    assert unnoticed([], {UID: job}) == {key("a")}


B = key("b")
AHEAD: dict[Phase, list[JobFact]] = {
    Phase.CLAIMED: [ahead(B)],
    Phase.CREATED: [ahead(B), created(B)],
    Phase.WAITING: [ahead(B), created(B), waits(B)],
}


def foreseen(phase: Phase, turn_has_come: bool = False) -> LiveJob:
    """A job with a task that runs, and one for which a container was made ahead; after a restart."""
    job = live_job(task("a"), task("b", "a", retries=0))
    facts = [claimed(key("a")), created(key("a")), started(key("a")), *AHEAD[phase]]
    for fact in facts:
        job.apply(fact)
    if turn_has_come:
        job.apply(exited(key("a"), seconds=5))
        job.apply(removed(key("a"), 6))
        job.apply(needed(B, 7))
    job.recall()
    return job


def concluded(job: LiveJob, found: Found) -> list[Any]:
    """What is to be done for `b` when it was found like that."""
    inspected = Inspected(
        key=B,
        found=found,
        at=at(9),
        container_id="id-b-1",
        image_id="sha256:image",
        created_at=at(2),
        started_at=at(3),
    )
    for conclusion in recovery.conclusions(job.tasks["b"].attempts[-1], inspected):
        job.apply(conclusion)
    job.apply(inspected)
    return [action for action in planner.actions([job]) if action.key.task == "b"]


@pytest.mark.parametrize("turn_has_come", [False, True])
@pytest.mark.parametrize("found", list(Found))
@pytest.mark.parametrize(
    ("phase", "verdicts"),
    [
        (Phase.CLAIMED, {Verdict.CREATE, Verdict.ADOPT}),
        (Phase.CREATED, {Verdict.START}),
        (Phase.WAITING, {Verdict.OPEN}),
    ],
)
def test_nothing_that_is_found_of_a_container_with_a_gate_is_a_failure_or_a_command_that_began(
    phase: Phase, verdicts: set[Verdict], found: Found, turn_has_come: bool
) -> None:
    job = foreseen(phase, turn_has_come)
    before = job.tasks["b"]
    assert Inspect(B) in list(planner.actions([job]))
    verdict = recovery.verdict(before.attempts[-1], Inspected(key=B, found=found, at=at(9)))
    assert verdict in verdicts
    actions = concluded(job, found)
    assert job.tasks["b"].status == "pending"
    assert job.failure is None
    if phase is Phase.CLAIMED and verdict is Verdict.CREATE:
        assert actions == [Create(B)]
        assert job.tasks["b"] == before
    elif phase is Phase.CLAIMED:
        assert actions == [Start(B)]
        assert job.tasks["b"].attempts[-1].container.id == "id-b-1"
    elif phase is Phase.CREATED:
        assert actions == [Start(B)]
        assert job.tasks["b"] == before
    else:
        assert actions == ([Open(B)] if turn_has_come else [])
        assert job.tasks["b"] == before


@pytest.mark.parametrize("found", [Found.MISSING, Found.FOREIGN])
def test_what_was_claimed_ahead_and_is_not_there_is_created(found: Found) -> None:
    assert concluded(foreseen(Phase.CLAIMED), found) == [Create(B)]


@pytest.mark.parametrize("phase", list(AHEAD))
@pytest.mark.parametrize("found", list(Found))
def test_the_table_for_gates_has_a_verdict_for_whatever_a_manager_may_find(
    phase: Phase, found: Found
) -> None:
    assert (phase, found) in recovery.GATED


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (Found.RUNNING, Verdict.REATTACH),
        (Found.EXITED, Verdict.RECORD),
        (Found.MISSING, Verdict.LOST),
        (Found.CREATED, Verdict.LOST),
        (Found.FORGOTTEN, Verdict.LOST),
        (Found.FOREIGN, Verdict.LOST),
    ],
)
def test_a_command_that_has_begun_behind_its_gate_is_as_any_other(found: Found, wanted: Verdict) -> None:
    job = foreseen(Phase.WAITING, turn_has_come=True)
    job.apply(started(B, 8))
    assert recovery.verdict(job.tasks["b"].attempts[-1], Inspected(key=B, found=found, at=at(9))) is wanted


@pytest.mark.parametrize("found", list(Found))
def test_what_took_the_place_of_a_container_with_a_gate_has_none(found: Found) -> None:
    job = foreseen(Phase.WAITING)
    job.apply(voided(B))
    attempt = job.tasks["b"].attempts[-1]
    inspected = Inspected(key=key("b", incarnation=2), found=found, at=at(9))
    assert recovery.verdict(attempt, inspected) is recovery.TABLE[Phase.CLAIMED, found]


@pytest.mark.parametrize("phase", list(AHEAD))
@pytest.mark.parametrize("found", list(Found))
def test_what_nobody_wants_any_more_is_dropped_after_a_restart_whatever_was_found(
    phase: Phase, found: Found
) -> None:
    job = foreseen(phase)
    job.apply(CancelRequested(uid=UID, at=at(8)))
    assert concluded(job, found) == [Drop(B)]


def test_what_is_stale_is_still_replaced_after_a_restart() -> None:
    job = foreseen(Phase.WAITING)
    job.apply(NetworkLost(uid=UID, at=at(8)))
    assert concluded(job, Found.RUNNING) == [Replace(B)]


def test_a_container_that_waits_needs_its_network() -> None:
    job = live_job(task("a", network="none"), task("b", "a"))
    for fact in (claimed(key("a")), created(key("a")), started(key("a")), *AHEAD[Phase.CREATED]):
        job.apply(fact)
    assert without_network([], {UID: job}) == set(), "what was not started yet says so itself"
    job.apply(waits(B))
    assert without_network([], {UID: job}) == {UID}
    assert without_network([network(UID)], {UID: job}) == set()


def test_a_container_that_waits_serves_and_the_one_that_it_replaces_does_not() -> None:
    job = foreseen(Phase.WAITING)
    assert orphans([listed("c1", B)], {UID: job}) == set()
    job.apply(voided(B))
    again = listed("c2", key("b", incarnation=2))
    assert orphans([listed("c1", B), again], {UID: job}) == {"c1"}


def test_a_container_that_ended_at_its_gate_is_not_an_end_that_nobody_has_noticed() -> None:
    """It is found out when its task's turn has come; until then it is nobody's loss."""
    job = foreseen(Phase.WAITING)
    ran = job.tasks["a"].attempts[-1].container.id
    assert ran is not None
    assert unnoticed([listed(ran, key("a"))], {UID: job}) == set()
