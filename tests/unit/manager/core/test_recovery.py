"""What the engine has of an attempt after a restart, against what its journal says."""

from typing import Any

import pytest

from air_executor.format.attempts import Phase
from manager.core import planner, recovery
from manager.core.live_job import LiveJob
from manager.core.recovery import Verdict
from manager.model.actions import Create, Drop, Inspect, Open, Remove, Replace, Start, Watch
from manager.model.facts import CancelRequested, Inspected, NetworkLost
from manager.model.values import Found
from tests.unit.manager.builders import (
    AHEAD,
    UID,
    at,
    claimed,
    created,
    foreseen,
    key,
    live_job,
    started,
    task,
    voided,
)

B = key("b")


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
def test_what_took_the_place_of_a_container_with_a_gate_has_one_too(found: Found) -> None:
    job = foreseen(Phase.WAITING)
    job.apply(voided(B))
    attempt = job.tasks["b"].attempts[-1]
    inspected = Inspected(key=key("b", incarnation=2), found=found, at=at(9))
    assert recovery.verdict(attempt, inspected) is recovery.GATED[Phase.CLAIMED, found]


@pytest.mark.parametrize("phase", list(AHEAD))
@pytest.mark.parametrize("found", list(Found))
def test_what_nobody_wants_any_more_is_dropped_after_a_restart_whatever_was_found(
    phase: Phase, found: Found
) -> None:
    job = foreseen(phase)
    job.apply(CancelRequested(uid=UID, at=at(8)))
    assert concluded(job, found) == [Remove(B) if phase is Phase.CLAIMED else Drop(B)]


def test_what_is_stale_is_still_replaced_after_a_restart() -> None:
    job = foreseen(Phase.WAITING)
    job.apply(NetworkLost(uid=UID, at=at(8)))
    assert concluded(job, Found.RUNNING) == [Replace(B)]
