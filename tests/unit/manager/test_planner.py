"""Who gets a runner, and which acts a state calls for."""

from air_executor.models import Cause
from manager import planner
from manager.actions import (
    Create,
    Drop,
    Remove,
    Signal,
    Start,
    Watch,
)
from manager.facts import (
    CancelRequested,
    GracePassed,
)
from manager.live_job import LiveJob
from tests.unit.manager.builders import (
    UID,
    at,
    claimed,
    created,
    exited,
    key,
    live_job,
    removed,
    started,
    task,
)
from tests.unit.manager.builders import settings as make


def take(jobs: list[LiveJob], runners: int, who: planner.Planner | None = None) -> list[str]:
    """The claims of one round, applied one after the other."""
    who = who or planner.Planner("home", make(max_runners=runners))
    found = []
    for claim in who.claims(jobs, at(1)):
        next(job for job in jobs if job.uid == claim.key.uid).apply(claim)
        found.append(f"{claim.key.uid[0]}.{claim.key.task}")
    return found


def fan(letter: str, tasks: int, **fields: object) -> LiveJob:
    names = [task(f"t{number}") for number in range(tasks)]
    return live_job(*names, uid=letter * 32, name=letter, **fields)


def test_no_more_than_max_runners_are_claimed_over_all_jobs() -> None:
    jobs = [fan("a", 5), fan("b", 5)]
    assert len(take(jobs, 3)) == 3
    assert take(jobs, 3) == []


def test_no_more_than_max_parallel_are_claimed_for_a_job() -> None:
    assert take([fan("a", 5, max_parallel=2)], 10) == ["a.t0", "a.t1"]


def test_a_job_that_is_full_leaves_its_runners_to_others() -> None:
    assert sorted(take([fan("a", 5, max_parallel=1), fan("b", 3)], 3)) == ["a.t0", "b.t0", "b.t1"]


def test_tasks_of_a_job_are_claimed_in_the_order_they_became_ready() -> None:
    assert take([fan("a", 3)], 10) == ["a.t0", "a.t1", "a.t2"]


def test_every_job_gets_one_runner_before_the_oldest_gets_the_rest() -> None:
    old, young = fan("a", 9), fan("b", 9)
    young.job = young.job.model_copy(update={"created_at": at(100)})
    assert take([young, old], 5) == ["a.t0", "b.t0", "a.t1", "a.t2", "a.t3"]


def test_with_one_runner_no_job_starves() -> None:
    jobs = [fan(letter, 6) for letter in "abc"]
    who = planner.Planner("home", make(max_runners=1))
    order = []
    for _ in range(9):
        (claim,) = take(jobs, 1, who)
        order.append(claim[0])
        job = next(job for job in jobs if job.uid[0] == claim[0])
        of = key(claim[2:], uid=job.uid)
        for fact in (created(of), started(of), exited(of), removed(of)):
            job.apply(fact)
    assert order == list("abcabcabc")


def test_a_container_that_only_waits_to_be_removed_holds_no_runner() -> None:
    job = fan("a", 2)
    take([job], 1)
    of = key("t0", uid=job.uid)
    for fact in (created(of), started(of), exited(of)):
        job.apply(fact)
    assert take([job], 1) == ["a.t1"]


def test_a_claim_carries_name_and_image() -> None:
    job = live_job(task("a", image="debian:12"), task("b"))
    first, second = planner.Planner("home", make(runner_image="runner:1")).claims([job], at(1)), None
    first = next(first)
    job.apply(first)
    second = next(planner.Planner("home", make(runner_image="runner:1")).claims([job], at(1)))
    assert (first.image, second.image) == ("debian:12", "runner:1")
    assert first.container.startswith("airx-job-a-1-")


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


def test_a_container_that_is_not_wanted_any_more_is_dropped_before_its_start() -> None:
    job, of = live_job(task("a")), key("a")
    job.apply(claimed(of))
    job.apply(CancelRequested(UID, at(2)))
    assert acts(job) == [Drop(of)], "it may be there already: only the engine knows"
    job.apply(created(of))  # a create that was under way
    assert acts(job) == [Drop(of)]


def test_a_running_task_is_asked_to_stop_and_killed_when_it_does_not() -> None:
    job, of = live_job(task("a")), key("a")
    for fact in (claimed(of), created(of), started(of), CancelRequested(UID, at(5))):
        job.apply(fact)
    assert acts(job) == [Watch(of), Signal(of, "SIGTERM", Cause.CANCELLED)]
    job.apply(GracePassed(of, at(9)))
    assert acts(job) == [Watch(of), Signal(of, "SIGKILL", Cause.CANCELLED)]
