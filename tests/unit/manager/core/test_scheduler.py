"""Who gets a runner, and who a container ahead of its turn."""

import itertools
from typing import Any

import pytest

from air_executor.format.attempts import Cause, Failure
from manager.core.image_shelf import LATELY, ImageShelf
from manager.core.live_job import LiveJob
from manager.core.scheduler import Scheduler
from manager.model.facts import (
    AttemptNeeded,
    CancelRequested,
    ImageFetched,
    JobFact,
    LaunchFailed,
    TaskClaimed,
)
from manager.model.values import NOT_TRIED
from tests.unit.manager.builders import (
    ABLE,
    T0,
    ahead,
    at,
    begun,
    claimed,
    created,
    exited,
    key,
    live_job,
    needed,
    no_pool,
    removed,
    run,
    started,
    take,
    task,
    waits,
)
from tests.unit.manager.builders import settings as make


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
    who = Scheduler("home", make(max_runners=1), no_pool())
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
    who = Scheduler("home", make(runner_image="runner:1"), no_pool(), shelf=shelf("debian:12"))
    first = next(who.claims([job], at(1)))
    assert isinstance(first, TaskClaimed)
    job.apply(first)
    second = next(who.claims([job], at(1)))
    assert isinstance(second, TaskClaimed)
    assert (first.grant.image, second.grant.image) == ("debian:12", "runner:1")
    assert first.container.startswith("airx-job-a-1-")


def shelf(*images: str) -> ImageShelf:
    """Where these images have just been fetched."""
    made = ImageShelf()
    for image in images:
        made.want(image, "somebody")
        (order,) = made.orders()
        made.take_in(ImageFetched(image=image, order=order, problem=None, at=at(0)))
    return made


def told(who: Scheduler, job: LiveJob, seconds: float = 1) -> list[JobFact]:
    """What is decided in one round about the job, each applied before the next."""
    facts: list[JobFact] = []
    for fact in who.claims([job], at(seconds)):
        job.apply(fact)
        facts.append(fact)
    return facts


def answered(who: Scheduler, job: LiveJob, problem: Failure | None = None) -> list[JobFact]:
    """What follows for the job from the end of the only fetch that is under way."""
    (order,) = who.shelf.orders()
    fetched = ImageFetched(image=order.image, order=order, problem=problem, at=at(5))
    assert who.shelf.take_in(fetched)
    facts = []
    for fact in who.supply(job, fetched):
        job.apply(fact)
        facts.append(fact)
    return facts


MISSING = Failure(cause=Cause.IMAGE, message="there is no image 'debian:12' here")


def test_a_task_whose_image_is_not_known_to_be_here_holds_no_runner_and_the_others_go_on() -> None:
    job = live_job(task("a", image="debian:12"), task("b"), task("c", image="debian:12"))
    who = Scheduler("home", make(max_runners=1), no_pool())
    assert [type(fact).__name__ for fact in told(who, job)] == ["ImageLacking", "TaskClaimed"]
    assert (job.busy, list(job.ready), job.settled) == (1, ["c"], False)
    assert told(who, job) == []


def test_when_its_image_has_come_it_is_claimed_and_has_waited_since_its_turn() -> None:
    job = live_job(task("a", image="debian:12"))
    who = Scheduler("home", make(), no_pool())
    told(who, job)
    assert job.lacking == {"debian:12": {"a": T0}}
    assert [type(fact).__name__ for fact in answered(who, job)] == ["ImageSupplied"]
    (claim,) = told(who, job, 6)
    assert isinstance(claim, TaskClaimed)
    assert job.tasks["a"].attempts[0].timings.ready_at == T0


def test_an_image_that_can_t_be_had_fails_who_waited_for_it_and_is_asked_for_again_by_a_retry() -> None:
    job = live_job(task("a", image="debian:12", retries=1))
    who = Scheduler("home", make(), no_pool())
    told(who, job)
    assert [type(fact).__name__ for fact in answered(who, job, MISSING)][1:] == [
        "TaskClaimed",
        "LaunchFailed",
    ]
    attempt = job.tasks["a"].attempts[0]
    assert attempt.failure is not None
    assert attempt.failure.cause is Cause.IMAGE
    assert attempt.failure.message == "task 'a' could not be started: there is no image 'debian:12' here"
    assert (job.busy, job.tasks["a"].status) == (0, "pending")
    job.apply(removed(key("a")))
    assert [type(fact).__name__ for fact in told(who, job, 7)] == ["ImageLacking"]
    answered(who, job, MISSING)
    assert (job.tasks["a"].status, len(job.tasks["a"].attempts)) == ("failed", 2)


def test_of_those_that_waited_for_one_that_can_t_be_had_the_first_fails_the_job() -> None:
    job = live_job(*(task(name, image="debian:12", retries=0) for name in "abc"))
    who = Scheduler("home", make(), no_pool())
    told(who, job)
    answered(who, job, MISSING)
    assert [job.tasks[name].status for name in "abc"] == ["failed", "skipped", "skipped"]


def test_a_job_that_is_cancelled_waits_for_no_image() -> None:
    job = live_job(task("a", image="debian:12"))
    who = Scheduler("home", make(), no_pool())
    told(who, job)
    (order,) = who.shelf.orders()
    job.apply(CancelRequested(uid=job.uid, at=at(2)))
    assert job.settled
    assert list(who.shelf.given_up({job.uid: job})) == [order]
    assert job.lacking.get("debian:12", {}) == {}


def test_a_registry_that_is_always_asked_is_asked_once_for_each_attempt_although_the_image_is_here() -> None:
    job = live_job(task("a", image="debian:12", pull="always", retries=1), task("b", image="debian:12"))
    who = Scheduler("home", make(), no_pool(), shelf=shelf("debian:12"))
    assert [type(fact).__name__ for fact in told(who, job)] == ["ImageLacking", "TaskClaimed"]
    assert [type(fact).__name__ for fact in answered(who, job)] == ["ImageSupplied"]
    assert [type(fact).__name__ for fact in told(who, job, 6)] == ["TaskClaimed"]
    for fact in (created(key("a")), started(key("a")), exited(key("a"), 1), removed(key("a"))):
        job.apply(fact)
    assert [type(fact).__name__ for fact in told(who, job, 7)] == ["ImageLacking"]
    assert [order.renew for order in who.shelf.orders()] == [True]


def test_the_usual_image_is_asked_for_too_where_a_task_wants_that() -> None:
    job = live_job(task("a", pull="always"))
    who = Scheduler("home", make(), no_pool())
    assert [type(fact).__name__ for fact in told(who, job)] == ["ImageLacking"]


def test_where_the_registry_is_away_only_who_wanted_it_asked_fails() -> None:
    job = live_job(
        task("a", image="debian:12", pull="always", retries=0), task("b", image="debian:12", retries=0)
    )
    who = Scheduler("home", make(), no_pool())
    told(who, job)
    facts = answered(who, job, MISSING)
    assert [type(fact).__name__ for fact in facts] == ["ImageSupplied", "TaskClaimed", "LaunchFailed"]
    assert facts[2].key.task == "a"  # type: ignore[union-attr]


def test_what_came_of_an_answer_that_came_too_late_is_forgotten_with_the_job() -> None:
    job = live_job(task("a", image="debian:12", pull="always"))
    who = Scheduler("home", make(), no_pool())
    told(who, job)
    answered(who, job)
    who.forget(job.uid)
    assert [type(fact).__name__ for fact in told(who, job, 6)] == ["ImageLacking"]


LATE = 2 * LATELY.total_seconds()
"""When the shelf has forgotten what was here."""


@pytest.mark.parametrize("pull", ["always", "missing"])
def test_what_was_fetched_for_who_waited_counts_until_its_claim_however_long_others_run(pull: str) -> None:
    job = live_job(task("a", image="debian:12", pull=pull, retries=1), task("b"))
    who = Scheduler("home", make(max_runners=1), no_pool())
    assert [type(fact).__name__ for fact in told(who, job)] == ["ImageLacking", "TaskClaimed"]
    answered(who, job)
    for fact in (created(key("b")), started(key("b")), exited(key("b")), removed(key("b"))):
        job.apply(fact)
    (claim,) = told(who, job, LATE)
    assert isinstance(claim, TaskClaimed) and claim.key.task == "a"
    for fact in (created(key("a")), started(key("a")), exited(key("a"), 1), removed(key("a"))):
        job.apply(fact)
    assert [type(fact).__name__ for fact in told(who, job, LATE)] == ["ImageLacking"]


@pytest.mark.parametrize("pull", ["always", "missing"])
def test_an_image_that_was_removed_since_is_fetched_again_for_all_but_the_first(pull: str) -> None:
    job = live_job(*(task(name, image="debian:12", pull=pull, retries=1) for name in "ab"))
    who = Scheduler("home", make(max_runners=1), no_pool())
    told(who, job)
    answered(who, job)
    assert [type(fact).__name__ for fact in told(who, job, LATE)] == ["TaskClaimed"]
    job.apply(LaunchFailed(key=key("a"), failure=MISSING, at=at(LATE)))
    who.doubt("debian:12")
    assert [type(fact).__name__ for fact in told(who, job, LATE)] == ["ImageLacking"]


def test_an_answer_of_the_registry_serves_those_too_who_only_miss_the_image() -> None:
    job = live_job(task("a", image="debian:12", pull="always"), task("b", image="debian:12"))
    who = Scheduler("home", make(), no_pool())
    told(who, job)
    answered(who, job)
    assert [type(fact).__name__ for fact in told(who, job, LATE)] == ["TaskClaimed", "TaskClaimed"]


def test_an_image_that_was_fetched_unasked_is_no_answer_for_who_wants_its_registry_asked() -> None:
    job = live_job(task("a", image="debian:12"), task("b", image="debian:12", pull="always"))
    who = Scheduler("home", make(), no_pool())
    told(who, job)
    (order,) = who.shelf.orders()
    fetched = ImageFetched(image=order.image, order=order._replace(renew=False), problem=None, at=at(5))
    for fact in who.supply(job, fetched):
        job.apply(fact)
    facts = told(who, job, LATE)
    assert [type(fact).__name__ for fact in facts] == ["TaskClaimed", "ImageLacking"]
    assert facts[1].task == "b"  # type: ignore[union-attr]


def test_a_queued_task_that_comes_after_one_which_is_put_off_leaves_the_last_runner_to_others() -> None:
    job = live_job(task("w"), task("x"), task("a", image="debian:12"), task("q", parent="w"), task("z"))
    who = Scheduler("home", make(max_runners=3), no_pool())
    facts = told(who, job)
    assert [type(fact).__name__ for fact in facts] == ["TaskClaimed", "TaskClaimed", "ImageLacking"]
    assert (job.busy, list(job.ready)) == (2, ["q", "z"])


def test_a_task_never_pulls_that_does_not_want_it() -> None:
    job = live_job(task("a", image="debian:12", pull="never"))
    (claim,) = told(Scheduler("home", make(), no_pool()), job)
    assert isinstance(claim, TaskClaimed)
    assert not claim.grant.pull


def test_nothing_is_made_ahead_of_a_registrys_answer() -> None:
    job = begun(live_job(task("a"), task("b", "a", image="debian:12", pull="always")), "a")
    who = Scheduler("home", make(), no_pool(), capabilities=ABLE, shelf=shelf("debian:12"))
    assert list(who.claims_ahead([job], at(2))) == []
    assert list(who.shelf.orders()) == []


def test_a_container_made_ahead_never_waits_for_an_image_but_has_it_fetched() -> None:
    job = begun(live_job(task("a"), task("b", "a", image="debian:12")), "a")
    who = Scheduler("home", make(), no_pool(), capabilities=ABLE)
    assert list(who.claims_ahead([job], at(2))) == []
    assert [order.image for order in who.shelf.orders()] == ["debian:12"]
    assert list(who.claims_ahead([job], at(2))) == []
    assert list(who.shelf.orders()) == []


def foresee(jobs: list[LiveJob], look_ahead: int, gates: bool = True) -> list[str]:
    """The claims ahead of one round, applied one after the other."""
    who = Scheduler("home", make(look_ahead=look_ahead), no_pool(), capabilities=ABLE if gates else NOT_TRIED)
    found = []
    for claim in who.claims_ahead(jobs, at(2)):
        assert isinstance(claim, TaskClaimed) and claim.start == "ahead"
        next(job for job in jobs if job.uid == claim.key.uid).apply(claim)
        found.append(f"{claim.key.uid[0]}.{claim.key.task}")
    return found


def chain(letter: str, length: int = 4, **fields: Any) -> LiveJob:
    """A chain whose first task runs."""
    names = [task(f"t{number}", *[f"t{number - 1}"] * (number > 0)) for number in range(length)]
    return begun(live_job(*names, uid=letter * 32, name=letter, **fields), "t0")


def test_a_chain_is_looked_into_one_task_further_with_each_round() -> None:
    job = chain("a")
    assert [foresee([job], 4) for _ in range(4)] == [["a.t1"], ["a.t2"], ["a.t3"], []]


def test_no_more_than_look_ahead_wait_over_all_jobs() -> None:
    jobs = [
        begun(live_job(task("r"), *(task(f"t{n}", "r") for n in range(5)), uid=letter * 32, name=letter), "r")
        for letter in "abc"
    ]
    assert foresee(jobs, 7) == ["a.t0", "a.t1", "a.t2", "a.t3", "a.t4", "b.t0", "b.t1"]
    assert sum(job.ahead for job in jobs) == 7
    assert foresee(jobs, 7) == []
    assert foresee(jobs, 8) == ["b.t2"]


def test_the_oldest_job_is_looked_into_first() -> None:
    old, young = chain("b"), chain("a")
    young.job = young.job.model_copy(update={"created_at": at(100)})
    assert foresee([young, old], 1) == ["b.t1"]


def test_nothing_is_looked_into_where_nobody_waits_at_gates() -> None:
    assert foresee([chain("a")], 4, gates=False) == []
    assert foresee([chain("a")], 0) == []


def test_what_waits_holds_no_runner_until_its_turn_has_come() -> None:
    job = chain("a", length=2)
    foresee([job], 1)
    of = key("t1", uid=job.uid)
    job.apply(created(of))
    job.apply(waits(of))
    assert (job.busy, job.ahead) == (1, 1)
    assert take([job], 10) == []
    job.apply(exited(key("t0", uid=job.uid)))
    job.apply(removed(key("t0", uid=job.uid)))
    assert (job.busy, job.ahead) == (0, 1)
    assert take([job], 1) == ["a.t1"]
    assert (job.busy, job.ahead) == (1, 0)
    assert take([job], 10) == []


def test_a_task_with_a_container_gets_its_turn_and_no_second_claim() -> None:
    job = chain("a", length=2)
    foresee([job], 1)
    job.apply(exited(key("t0", uid=job.uid)))
    (turn,) = Scheduler("home", make(max_runners=1), no_pool()).claims([job], at(9))
    assert turn == AttemptNeeded(key=key("t1", uid=job.uid), at=at(9))


def test_a_turn_takes_a_runner_and_heeds_max_parallel() -> None:
    job = live_job(task("a"), task("x"), task("b", "a"), max_parallel=1)
    begun(job, "a")
    job.apply(ahead(key("b")))
    job.apply(exited(key("a")))
    assert list(job.ready) == ["x", "b"]
    assert take([job], 10) == ["0.x"]
    assert take([job], 10) == []
    for fact in (created(key("x")), started(key("x")), exited(key("x"))):
        job.apply(fact)
    assert take([job], 10) == ["0.b"]


def test_look_ahead_does_not_heed_max_parallel() -> None:
    """A container that waits is no task that runs."""
    assert foresee([chain("a", max_parallel=1)], 4) == ["a.t1"]


def test_the_claim_ahead_is_in_the_words_of_any_other() -> None:
    early, late = live_job(task("a"), task("b", "a", image="debian:12", timeout=7)), live_job(task("a"))
    begun(early, "a")
    who = Scheduler("home", make(), no_pool(), capabilities=ABLE, shelf=shelf("debian:12"))
    (first,) = who.claims_ahead([early], at(2))
    assert (first.grant.image, first.grant.timeout, first.grant.memory_mb) == ("debian:12", 7, 512)
    assert first.key == key("b") and first.container.startswith("airx-job-b-1-")
    assert late.tasks["a"].attempts == ()


def test_a_task_that_ran_is_looked_at_no_more() -> None:
    job = live_job(task("a"), task("b", "a"), task("c", "b"))
    run(job, "a")
    begun(job, "b")
    assert foresee([job], 9) == ["0.c"]


def test_warm_containers_are_not_tended_while_tasks_wait_for_containers_but_now_and_then() -> None:
    sharing = Scheduler("home", make(), no_pool())
    job = live_job(task("a"), task("b", "a"))
    assert sharing.grant_tending([job], at(0))
    job.apply(claimed(key("a")))
    assert not sharing.grant_tending([job], at(1))
    job.apply(created(key("a")))
    assert not sharing.grant_tending([job], at(2))
    assert not sharing.grant_tending([job], at(4.9))
    assert sharing.grant_tending([job], at(5)), "it has waited long enough"
    assert not sharing.grant_tending([job], at(6))
    job.apply(started(key("a")))
    assert sharing.grant_tending([job], at(7))
    job.apply(ahead(key("b")))
    assert not sharing.grant_tending([job], at(8))
    assert sharing.grant_tending([job], at(-3600)), "the clock was set back"


def test_nothing_is_made_ahead_while_a_gate_opens_and_enough_wait() -> None:
    who = Scheduler("home", make(look_ahead=4), no_pool(), capabilities=ABLE)
    job = live_job(task("a"), *(task(after, before) for before, after in itertools.pairwise("abcdef")))
    for fact in (claimed(key("a")), created(key("a")), started(key("a"))):
        job.apply(fact)
    for name in "bcd":
        job.apply(ahead(key(name)))
    for fact in (created(key("b")), waits(key("b")), exited(key("a")), needed(key("b"), 4.5)):
        job.apply(fact)
    assert list(who.claims_ahead([job], at(4.55))) == []
    assert [claim.key.task for claim in who.claims_ahead([job], at(4.7))] == ["e"], "it takes long"
    job.apply(started(key("b"), 4.56))
    assert [claim.key.task for claim in who.claims_ahead([job], at(4.57))] == ["e"]


def test_warm_containers_are_not_tended_while_a_gate_opens() -> None:
    sharing = Scheduler("home", make(), no_pool())
    job = live_job(task("a"), task("b", "a"))
    for fact in (claimed(key("a")), created(key("a")), started(key("a")), ahead(key("b")), waits(key("b"))):
        job.apply(fact)
    assert sharing.grant_tending([job], at(4))
    job.apply(exited(key("a")))
    job.apply(needed(key("b"), 4.5))
    assert not sharing.grant_tending([job], at(4.55))
    assert sharing.grant_tending([job], at(4.7)), "it takes longer than gates do"
