"""Which GPU is whose, and who gets the next."""

from typing import Any

from air_executor.format.attempts import Cause
from air_executor.format.models import Task
from manager.core.gpu_rack import LOOKED_AT
from manager.core.live_job import LiveJob
from manager.core.scheduler import Scheduler
from manager.model.facts import CancelRequested, JobFact, TaskClaimed
from manager.model.values import WarmContainer
from tests.unit.manager.builders import (
    ABLE,
    OWNER,
    T0,
    at,
    begun,
    created,
    exited,
    key,
    live_job,
    no_pool,
    removed,
    settings,
    started,
    task,
)


def on(name: str, asked: int | list[str] = 1, *dependencies: str, **fields: Any) -> Task:
    return task(name, *dependencies, resources={"gpus": asked}, **fields)


def job(letter: str, *tasks: Task, since: float = 0, **fields: Any) -> LiveJob:
    found = live_job(*tasks, uid=letter * 32, name=letter, **fields)
    found.job = found.job.model_copy(update={"created_at": at(since)})
    return found


def sharing(gpus: int = 2, **rules: Any) -> Scheduler:
    return Scheduler("home", settings(gpus=gpus, **rules), no_pool(), capabilities=ABLE)


def decide(who: Scheduler, *jobs: LiveJob, seconds: float = 1) -> dict[str, tuple[str, ...]]:
    """One round: which tasks are claimed, and the GPUs that each gets."""
    who.rack.look(jobs)
    found = {}
    for fact in who.claims(jobs, at(seconds)):
        next(each for each in jobs if each.uid == fact.uid).apply(fact)
        if isinstance(fact, TaskClaimed):
            found[f"{fact.uid[0]}.{fact.key.task}"] = fact.grant.gpus
    return found


def end(of: LiveJob, name: str, until_removed: bool = True) -> None:
    attempt = key(name, uid=of.uid)
    facts: list[JobFact] = [created(attempt), started(attempt), exited(attempt)]
    for fact in [*facts, removed(attempt)] if until_removed else facts:
        of.apply(fact)


def test_no_two_tasks_have_the_same_gpu_and_who_waits_holds_no_runner() -> None:
    who, of = sharing(), job("a", on("x"), on("y"), on("z"), task("free"))
    assert decide(who, of) == {"a.x": ("0",), "a.y": ("1",), "a.free": ()}
    assert (of.busy, list(of.short)) == (3, ["z"])
    assert decide(who, of) == {}


def test_a_gpu_is_taken_until_its_container_is_gone() -> None:
    who, of = sharing(1), job("a", on("x"), on("y"))
    decide(who, of)
    end(of, "x", until_removed=False)
    assert decide(who, of) == {}
    of.apply(removed(key("x", uid=of.uid)))
    assert decide(who, of) == {"a.y": ("0",)}


def test_another_manager_knows_from_the_grants_what_is_taken() -> None:
    of, other = job("a", on("x")), job("b", on("y"))
    decide(sharing(1), of)
    assert decide(sharing(1), of, other) == {}


def test_what_a_job_has_that_stands_still_is_taken() -> None:
    who, still, other = sharing(1), job("a", on("x")), job("b", on("y"))
    decide(who, still)
    who.rack.look([still, other])
    for fact in who.claims([other], at(2)):
        assert not isinstance(fact, TaskClaimed)
        other.apply(fact)
    assert list(other.short) == ["y"]


def test_what_a_job_has_that_can_t_be_taken_up_is_taken() -> None:
    before, who, other = job("a", on("x")), sharing(1), job("b", on("y"))
    decide(sharing(1), before)
    who.rack.withhold(before.tasks.values())
    assert decide(who, other) == {}


def test_certain_ones_are_waited_for_and_others_go_on() -> None:
    who, of = sharing(), job("a", on("x", ["1"]), on("y", ["1"]), on("z", ["0"]))
    assert decide(who, of) == {"a.x": ("1",), "a.z": ("0",)}
    end(of, "z")
    assert decide(who, of) == {}
    end(of, "x")
    assert decide(who, of) == {"a.y": ("1",)}


def test_who_wants_two_is_not_passed_by_for_ever_by_those_who_want_one() -> None:
    who = sharing()
    first, large = job("a", on("x"), on("y")), job("b", on("two", 2))
    later = [job(letter, on("one"), since=10) for letter in "cd"]
    for each in later:
        each._queue.ready["one"] = at(10)
    decide(who, first)
    assert decide(who, first, large, *later) == {}
    end(first, "x")
    assert decide(who, first, large, *later) == {}, "it is kept for the one that waits for two"
    end(first, "y")
    assert decide(who, first, large, *later) == {"b.two": ("0", "1")}
    end(large, "two")
    assert decide(who, *later) == {"c.one": ("0",), "d.one": ("1",)}


def test_a_job_that_has_none_comes_before_one_that_has_waited_longer_and_has_some() -> None:
    who, many = sharing(2), job("a", *(on(f"t{number}") for number in range(5)))
    young = job("b", on("one"))
    young._queue.ready["one"] = at(100)
    assert list(decide(who, many)) == ["a.t0", "a.t1"]
    assert decide(who, many, young) == {}
    end(many, "t0")
    assert list(decide(who, many, young)) == ["b.one"]


def test_a_job_that_may_hold_no_runner_more_keeps_no_gpu_from_others() -> None:
    who = sharing()
    full, other = job("a", task("long"), on("x", 2), max_parallel=1), job("b", on("y"))
    assert decide(who, full) == {"a.long": ()}
    assert decide(who, full, other) == {"b.y": ("0",)}


def test_no_runner_no_gpu() -> None:
    who, of = sharing(max_runners=1), job("a", task("first"), on("x"))
    assert decide(who, of) == {"a.first": ()}
    assert decide(who, of) == {}
    end(of, "first")
    assert decide(who, of) == {"a.x": ("0",)}


def test_a_task_that_waited_has_been_ready_since_its_turn_came() -> None:
    who, of = sharing(1), job("a", on("x"), on("y"))
    decide(who, of)
    end(of, "x")
    decide(who, of, seconds=60)
    attempt = of.tasks["y"].attempt
    assert attempt is not None and attempt.timings.ready_at == T0


def test_a_further_attempt_gets_what_is_free_then() -> None:
    who, of = sharing(1), job("a", on("x", retries=1))
    decide(who, of)
    for fact in (created, started):
        of.apply(fact(key("x", uid=of.uid)))
    of.apply(exited(key("x", uid=of.uid), 1))
    assert decide(who, of) == {}
    of.apply(removed(key("x", uid=of.uid)))
    assert decide(who, of) == {"a.x": ("0",)}


def test_a_cancelled_job_waits_for_none() -> None:
    who, of = sharing(1), job("a", on("x"))
    other = job("b", on("y"))
    decide(who, other)
    decide(who, of, other)
    assert list(of.short) == ["x"]
    of.apply(CancelRequested(uid=of.uid, at=at(2)))
    assert (list(of.short), of.settled) == ([], True)


def test_of_tasks_that_were_taken_by_older_settings_none_runs_with_less_than_it_asks_for() -> None:
    for of in (job("a", on("x", 2), task("y")), job("a", task("x", runtime="runsc"), task("y"))):
        decide(sharing(1), of)
        failure = of.tasks["x"].failure
        assert failure is not None and failure.cause is Cause.BAD_INPUT
        assert "could not be started" in failure.message and "setting `" in failure.message
        assert of.busy == 0


def test_no_container_is_made_ahead_for_a_task_with_a_gpu_or_another_runtime() -> None:
    rules = {"runtimes": ("runsc",)}
    of = begun(job("a", task("a"), on("x", 1, "a"), task("y", "a", runtime="runsc"), task("z", "a")), "a")
    who = sharing(**rules)
    assert [claim.key.task for claim in who.claims_ahead([of], at(2))] == ["z"]


def test_gates_are_for_the_usual_runtime_only() -> None:
    who, of = sharing(runtimes=("runsc",)), job("a", task("x", runtime="runsc"), task("y", runtime="default"))
    decide(who, of)
    assert [each.attempts[0].gate for each in of.tasks.values()] == [False, True]


def test_a_warm_container_is_not_for_a_task_with_a_gpu() -> None:
    who, of = sharing(), job("a", on("x"))
    warm = WarmContainer("airx-warm-1", OWNER, "c", "i", T0, T0)
    who.pool.ready[warm.name] = warm
    of.bare = True
    decide(who, of)
    assert of.tasks["x"].attempts[0].start == "cold"
    assert who.pool.ready


def test_a_job_that_waits_with_very_many_costs_little_and_others_get_what_it_does_not_want() -> None:
    who = sharing()
    many = job("a", on("x", ["0"]), *(on(f"t{number}", ["0"]) for number in range(3 * LOOKED_AT)))
    other = job("b", on("y"))
    decide(who, many)
    assert decide(who, many, other) == {"b.y": ("1",)}


def test_among_those_who_wait_for_a_gpu_the_higher_priority_goes_first() -> None:
    who, first = sharing(1), job("a", on("x"))
    low, usual = job("b", on("low"), priority=-10), job("c", on("usual"))
    usual._queue.ready["usual"] = at(100)
    decide(who, first)
    decide(who, first, low, usual)
    end(first, "x")
    assert decide(who, first, low, usual) == {"c.usual": ("0",)}


def test_what_is_not_enough_for_the_highest_priority_is_kept_from_the_others() -> None:
    who, first = sharing(2), job("a", on("x"), on("y"))
    low, usual = job("b", on("low"), priority=-10), job("c", on("two", 2))
    decide(who, first)
    decide(who, first, low, usual)
    end(first, "x")
    assert decide(who, first, low, usual) == {}


def test_a_gpu_task_takes_no_runner_before_ready_tasks_of_a_higher_priority() -> None:
    who, low = sharing(1, max_runners=1), job("a", on("x"), priority=-10)
    holder, usual = job("b", task("long")), job("c", task("t0"), task("t1"))
    decide(who, holder)
    low._queue.fall_short("x")
    end(holder, "long")
    for name in ("t0", "t1"):
        assert decide(who, low, usual) == {f"c.{name}": ()}
        end(usual, name)
    assert decide(who, low, usual) == {"a.x": ("0",)}


def test_among_equals_a_gpu_task_that_has_waited_goes_before_ready_tasks() -> None:
    who, waits, usual = sharing(1, max_runners=1), job("b", on("x")), job("a", task("t0"))
    waits._queue.fall_short("x")
    assert decide(who, waits, usual) == {"b.x": ("0",)}


def test_nothing_is_kept_for_a_task_that_can_t_be_served_without_what_is_withheld() -> None:
    before = job("a", on("x"))
    decide(sharing(2), before)
    for asked in (2, ["0"], ["0", "1"]):
        who, stuck, other = sharing(2), job("b", on("stuck", asked)), job("c", on("y"))
        who.rack.withhold(before.tasks.values())
        other._queue.ready["y"] = at(100)
        assert decide(who, stuck, other) == {"c.y": ("1",)}
        assert list(stuck.short) == ["stuck"]
