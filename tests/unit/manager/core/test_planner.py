"""Which acts a state calls for."""

from dataclasses import replace

from air_executor.format.attempts import Cause
from manager.core import planner
from manager.core.live_job import LiveJob
from manager.model.actions import (
    Create,
    Drop,
    Hurry,
    Linger,
    Open,
    Remove,
    Replace,
    Signal,
    Start,
    TaskAction,
    Watch,
)
from manager.model.facts import CancelRequested, CommandSucceeded, GracePassed, NetworkLost, OfAttempt
from manager.model.image_facts import ImageFacts
from tests.unit.manager.builders import (
    UID,
    ahead,
    at,
    begun,
    claimed,
    created,
    exited,
    key,
    live_job,
    needed,
    removed,
    started,
    take,
    task,
    voided,
    waits,
)


def acts(job: LiveJob) -> list[object]:
    return list(planner.actions([job]))


def test_each_phase_calls_for_its_act_and_goes_on_calling() -> None:
    job, of = live_job(task("a")), key("a")
    assert acts(job) == []
    for fact, act in [
        (claimed(of), Create(of)),
        (created(of), Start(of)),
        (started(of), Watch(of)),
        (exited(of), Remove(of)),
    ]:
        job.apply(fact)
        assert acts(job) == [act]
        assert acts(job) == [act]
    job.apply(removed(of))
    assert acts(job) == []


def test_a_task_is_told_to_stop_by_the_signal_of_its_image() -> None:
    job, of = live_job(task("a")), key("a")
    facts = ImageFacts(stop_signal="SIGRTMIN+3")
    for fact in (claimed(of), created(of), replace(started(of), of_image=facts)):
        job.apply(fact)
    job.apply(CancelRequested(uid=UID, at=at(4)))
    assert acts(job) == [Watch(of), Signal(of, "SIGRTMIN+3", Cause.CANCELLED)]
    job.apply(GracePassed(key=of, at=at(5)))
    assert acts(job) == [Watch(of), Signal(of, "SIGKILL", Cause.CANCELLED)]


def test_who_asks_twice_for_an_end_does_not_wait_as_long_as_a_task_may_take_for_that() -> None:
    job = begun(live_job(task("a"), task("clean", run_if="always")), "a", "clean")
    a, clean = key("a"), key("clean")
    stop = {of: Signal(of, "SIGTERM", Cause.CANCELLED) for of in (a, clean)}
    job.apply(CancelRequested(uid=UID, marker="1", at=at(4)))
    assert acts(job) == [Watch(a), stop[a], Watch(clean), stop[clean]]
    job.apply(CancelRequested(uid=UID, marker="2", at=at(5)))
    assert acts(job) == [Watch(a), stop[a], Hurry(a), Watch(clean), stop[clean], Hurry(clean)]


def test_a_container_that_is_not_wanted_any_more_is_dropped_before_its_start() -> None:
    job, of = live_job(task("a")), key("a")
    for fact in (claimed(of), created(of), CancelRequested(uid=UID, at=at(2))):
        job.apply(fact)
    assert acts(job) == [Drop(of)], "it may have begun already: only the engine knows"


def test_what_is_being_made_when_nobody_wants_it_any_more_holds_no_runner_and_is_removed() -> None:
    job, of = live_job(task("a")), key("a")
    job.apply(claimed(of))
    assert job.busy == 1
    job.apply(CancelRequested(uid=UID, at=at(2)))
    assert (acts(job), job.busy) == ([Remove(of)], 0)
    job.apply(created(of))  # a create that was under way
    assert (acts(job), job.busy) == ([Remove(of)], 0)
    assert not job.settled
    job.apply(removed(of))
    assert job.settled


def test_a_running_task_is_asked_to_stop_and_killed_when_it_does_not() -> None:
    job, of = live_job(task("a")), key("a")
    for fact in (claimed(of), created(of), started(of), CancelRequested(uid=UID, at=at(5))):
        job.apply(fact)
    assert acts(job) == [Watch(of), Signal(of, "SIGTERM", Cause.CANCELLED)]
    job.apply(GracePassed(key=of, at=at(9)))
    assert acts(job) == [Watch(of), Signal(of, "SIGKILL", Cause.CANCELLED)]


def test_what_was_made_ahead_is_brought_to_its_gate_and_opened_when_its_turn_has_come() -> None:
    job, of = live_job(task("a"), task("b", "a")), key("b")
    begun(job, "a")
    watch = Watch(key("a"))
    job.apply(ahead(of))
    assert acts(job) == [watch, Create(of)]
    job.apply(created(of))
    assert acts(job) == [watch, Start(of)]
    job.apply(waits(of))
    assert acts(job) == [watch]
    job.apply(exited(key("a")))
    job.apply(removed(key("a")))
    assert acts(job) == [], "a runner must be free as well"
    job.apply(needed(of))
    assert acts(job) == [Open(of)]
    job.apply(started(of))
    assert acts(job) == [Watch(of)]


def test_a_turn_that_comes_early_is_remembered_until_the_gate_is_there() -> None:
    job, of = live_job(task("a"), task("b", "a")), key("b")
    begun(job, "a")
    job.apply(ahead(of))
    job.apply(exited(key("a")))
    job.apply(removed(key("a")))
    job.apply(needed(of))
    job.apply(created(of))
    assert acts(job) == [Start(of)]
    job.apply(waits(of))
    assert acts(job) == [Open(of)]


def test_what_has_ended_well_by_its_gates_word_is_given_a_moment_and_then_killed() -> None:
    job, of = live_job(task("a")), key("a")
    begun(job, "a")
    job.apply(CommandSucceeded(key=of, finished_at=at(9), at=at(9)))
    assert acts(job) == [Watch(of), Linger(of)]
    job.apply(GracePassed(key=of, at=at(14)))
    assert acts(job) == [Watch(of), Signal(of, "SIGKILL", Cause.ENGINE)]
    job.apply(exited(of, 137, 15))
    assert (acts(job), job.tasks["a"].status) == ([Remove(of)], "completed")


def test_what_takes_the_place_of_a_container_with_a_gate_is_created_when_it_is_needed() -> None:
    job, again = live_job(task("a"), task("b", "a")), key("b", incarnation=2)
    begun(job, "a")
    for fact in (ahead(key("b")), created(key("b")), waits(key("b")), voided(key("b"))):
        job.apply(fact)
    assert acts(job) == [Watch(key("a"))]
    assert (job.busy, job.ahead) == (1, 0), "it has no container"
    job.apply(exited(key("a")))
    job.apply(removed(key("a")))
    assert acts(job) == []
    assert take([job], 1) == ["0.b"]
    assert acts(job) == [Create(again)]
    job.apply(created(again))
    assert acts(job) == [Start(again)]
    job.apply(started(again))
    assert acts(job) == [Watch(again)]


def test_a_container_without_its_network_is_replaced_before_it_is_opened() -> None:
    job, of = live_job(task("a", network="none"), task("b", "a")), key("b")
    begun(job, "a")
    for fact in (ahead(of), created(of), waits(of), NetworkLost(uid=UID, at=at(3))):
        job.apply(fact)
    assert acts(job) == [Watch(key("a")), Replace(of)]
    job.apply(exited(key("a")))
    job.apply(removed(key("a")))
    job.apply(needed(of))
    assert acts(job) == [Replace(of)]
    job.apply(voided(of))
    assert acts(job) == [Create(key("b", incarnation=2))]


def test_what_was_made_ahead_is_dropped_when_nobody_wants_it_any_more() -> None:
    of = key("b")
    reached: list[tuple[list[OfAttempt], TaskAction]] = [
        ([], Remove(of)),
        ([created(of)], Drop(of)),
        ([created(of), waits(of)], Drop(of)),
    ]
    for facts, act in reached:
        job = begun(live_job(task("a"), task("b", "a")), "a")
        job.apply(ahead(of))
        for fact in facts:
            job.apply(fact)
        job.apply(exited(key("a"), 1))
        assert acts(job) == [Remove(key("a")), act]


def test_a_voided_container_of_a_job_that_failed_meanwhile_is_not_made_again() -> None:
    job, of = live_job(task("a"), task("b", "a")), key("b")
    begun(job, "a")
    for fact in (ahead(of), created(of), exited(key("a"), 1), removed(key("a")), voided(of)):
        job.apply(fact)
    assert acts(job) == [Drop(key("b", incarnation=2))]
