"""The pool of warm containers, by itself: who may get one, who gets one, and how many there are."""

import secrets
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from air_executor.format.models import Job, Resources, RetryPolicy
from manager.core.live_job import LiveJob
from manager.core.warm_pool import LIFETIME, MOST_REGULARS, REST, WINDOW, WarmPool
from manager.model.values import Owner, WarmContainer, WarmOrder, first_of, spare_of
from tests.unit.manager.builders import (
    ABLE,
    OWNER,
    T0,
    UID,
    at,
    claimed,
    key,
    live_job,
    no_pool,
    run,
    settings,
    task,
)

OTHER = Owner(2000, 2000)
WINDOW_S, LIFETIME_S, REST_S = (each.total_seconds() for each in (WINDOW, LIFETIME, REST))


def a_pool(warm: int = 1, *regulars: Owner, **fields: Any) -> WarmPool:
    """A pool that is open, and has nothing yet."""
    rules = settings(warm=warm, **fields)
    return WarmPool(rules, lambda: secrets.token_hex(5), regulars or (OWNER,), capabilities=ABLE)


def bare_job(*tasks: Any, owner: Owner = OWNER) -> LiveJob:
    """A job for which nothing has been made."""
    record = Job(id="1", name="job", uid=UID, created_at=T0, updated_at=T0)
    job = LiveJob(record, tasks or (task(),), owner, max_tasks=10, bare=True)
    job.take(T0)
    return job


def waiting(order: WarmOrder, seconds: float = 0) -> WarmContainer:
    """What has become of an order."""
    return WarmContainer(order.name, order.user, f"id-{order.name}", "sha256:image", at(seconds), at(seconds))


def fill(pool: WarmPool, seconds: float = 0) -> list[WarmContainer]:
    """Have all made that the pool wants; they wait."""
    made: list[WarmContainer] = []
    while orders := [*pool.orders(at(seconds))]:
        for order in orders:
            made.append(waiting(order, seconds))
            pool.add(made[-1])
    return made


def take(pool: WarmPool, seconds: float = 0, owner: Owner = OWNER, **fields: Any) -> WarmContainer | None:
    """For the first task of a new job."""
    wanting = task(**fields)
    return pool.take(bare_job(wanting, owner=owner), wanting, at(seconds))


def whole(pool: WarmPool) -> set[str]:
    """Its warm containers, spares not counted."""
    return {warm for warm in pool.names if warm == first_of(warm)}


def users(orders: Any) -> Counter[Owner]:
    return Counter(order.user for order in orders)


# --- Who may get one -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"image": "air-executor-runner:latest"},
        {"network": "job"},
        {"resources": Resources()},
        {"resources": Resources(memory_mb=512, cpus=1, pids=256)},
        {"image": "docker.io/library/air-executor-runner"},
        {"workdir": "/work"},
        {"workdir": "/work/below/it"},
        {"workdir": "/tmp"},
        {"retries": RetryPolicy(max=5, memory_factor=2)},
        {"timeout": 5.0},
        {"env": {"A": "b"}},
        {"user": "1234"},
        {"args": ("-c", "true")},
    ],
    ids=str,
)
def test_a_task_that_asks_for_nothing_of_its_own_fits(fields: dict[str, Any]) -> None:
    wanting = task(**fields)
    assert a_pool().fits(bare_job(wanting), wanting)


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "debian:13"},
        {"network": "none"},
        {"network": "private"},
        {"network": "db"},
        {"image": "air-executor-runner:other"},
        {"resources": Resources(memory_mb=100)},
        {"resources": Resources(cpus=0.5)},
        {"resources": Resources(pids=10)},
    ],
    ids=str,
)
def test_a_task_that_asks_for_something_of_its_own_does_not_fit(fields: dict[str, Any]) -> None:
    wanting = task(**fields)
    assert not a_pool().fits(bare_job(wanting), wanting)


def test_the_usual_image_is_the_one_that_the_operator_has_set() -> None:
    pool = a_pool(runner_image="own:1")
    for image, fits in ((None, True), ("own:1", True), ("air-executor-runner:latest", False)):
        wanting = task(image=image)
        assert pool.fits(bare_job(wanting), wanting) is fits


def test_a_job_with_folders_of_its_own_does_not_fit() -> None:
    assert not a_pool().fits(live_job(), task())


def test_a_job_of_which_something_was_claimed_does_not_fit_any_more() -> None:
    job = bare_job(task("a"), task("b"))
    assert a_pool().fits(job, job.tasks["b"])
    job.apply(claimed(key("a")))
    assert not a_pool().fits(job, job.tasks["b"])


def test_nothing_fits_where_warm_containers_do_not_work() -> None:
    assert not no_pool().fits(bare_job(), task())


# --- Who gets one ----------------------------------------------------------------------------------------


def test_a_warm_container_is_given_away_once() -> None:
    pool = a_pool()
    (warm,) = fill(pool)
    assert pool.names == {warm.name, spare_of(warm.name)}
    assert take(pool) == warm
    assert pool.names == set()
    assert take(pool) is None


def test_a_warm_container_that_is_still_being_made_is_given_to_nobody() -> None:
    pool = a_pool()
    (order,) = pool.orders(at(0))
    assert pool.names == {order.name, spare_of(order.name)}
    assert take(pool) is None
    pool.add(waiting(order))
    assert take(pool) == waiting(order)


def test_a_warm_container_of_another_user_is_not_taken() -> None:
    pool = a_pool(users=("3000:3001", f"{OWNER.uid}"))
    fill(pool)
    assert take(pool, owner=OTHER) is None
    assert take(pool, user="3000:3001") is None
    assert take(pool, user=f"{OWNER.uid}", owner=OTHER) is not None, "whose folder it is, is all the same"


def test_where_each_job_has_a_user_of_its_own_no_container_waits_for_one_nobody_knows() -> None:
    pool = a_pool(job_uids="5000-5999")
    assert list(pool.orders(at(0))) == []
    assert not pool.fits(bare_job(task()), task())


def test_in_jobs_of_root_tasks_run_as_the_user_of_the_setting() -> None:
    pool = a_pool(1, Owner(77, 77), task_uid=77)
    (warm,) = fill(pool)
    assert warm.user == (77, 77)
    assert take(pool, owner=Owner(0, 0)) == warm


# --- How many there are ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("warm", "number"), [(1, 1), (2, 2), (20, 2)])
def test_two_warm_containers_wait_for_the_usual_user_before_any_job_came(warm: int, number: int) -> None:
    pool = a_pool(warm)
    assert users(pool.orders(at(0))) == {OWNER: number}
    assert list(pool.orders(at(0))) == [], "an order counts as being made"


def test_as_many_warm_containers_are_kept_as_were_used_of_late() -> None:
    pool = a_pool(warm=3)
    fill(pool)
    for used, wanted in ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3)):
        take(pool, seconds=used)
        fill(pool, used)
        assert len(pool.ready) == wanted


def test_a_use_counts_also_when_no_warm_container_was_there() -> None:
    pool = a_pool(warm=2)
    assert take(pool, 0) is None
    assert take(pool, 0) is None
    assert users(pool.orders(at(1))) == {OWNER: 2}


def test_no_warm_container_is_made_where_none_is_wanted() -> None:
    pool = a_pool(warm=0)
    take(pool, 0)
    assert list(pool.orders(at(0))) == []


def test_no_warm_container_is_made_where_they_do_not_work() -> None:
    assert list(no_pool().orders(at(0))) == []


def test_warm_containers_that_were_not_used_for_a_while_go_but_for_two() -> None:
    pool = a_pool(warm=4)
    for _ in range(4):
        take(pool, 0)
    fill(pool, 1)
    assert list(pool.surplus(at(WINDOW_S))) == []
    assert len(pool.ready) == 4
    gone = list(pool.surplus(at(WINDOW_S + 1)))
    assert len(gone) == 2
    assert len(pool.ready) == 2
    assert pool.names.isdisjoint(gone)
    assert list(pool.orders(at(WINDOW_S + 1))) == []


def test_the_newest_warm_containers_are_those_that_stay() -> None:
    pool = a_pool(warm=3)
    old, middle = fill(pool, 1)
    for seconds in (2, 2, 2):
        take(pool, seconds)
    pool.ready |= {old.name: old, middle.name: replace(middle, created_at=at(2))}  # as if they had got none
    (new,) = fill(pool, 3)
    assert list(pool.surplus(at(WINDOW_S + 5))) == [old.name]
    assert set(pool.ready) == {middle.name, new.name}


def test_where_one_user_may_have_them_they_are_for_the_one_who_was_last() -> None:
    pool = a_pool(warm=1, warm_users=1)
    take(pool, 0, owner=OTHER)
    (old,) = fill(pool, 0)
    assert old.user == OTHER
    assert list(pool.surplus(at(WINDOW_S + 1))) == [], "still for the last one"
    take(pool, WINDOW_S + 2)
    assert list(pool.surplus(at(WINDOW_S + 2))) == [old.name]
    assert users(fill(pool, WINDOW_S + 2)) == {OWNER: 1}


def test_users_share_what_may_wait_and_the_latest_come_first() -> None:
    pool = a_pool(warm=3, warm_users=1)
    for seconds, owner in enumerate((OWNER, OWNER, OWNER, OTHER, OWNER)):
        take(pool, seconds, owner=owner)
    assert users(fill(pool, 5)) == {OWNER: 2, OTHER: 1}
    for seconds in (6, 7):
        take(pool, seconds, owner=OTHER)
    before = users(pool.ready.values())
    assert users(pool.orders(at(8))) == {OTHER: 2}
    assert len(list(pool.surplus(at(8)))) == 1
    assert before - users(pool.ready.values()) == {OWNER: 1}
    assert users(pool.ready.values()) + users(pool.making.values()) == {OTHER: 2, OWNER: 1}


@pytest.mark.parametrize(("warm_users", "number"), [(1, 2), (2, 2), (3, 3), (16, 16)])
def test_many_users_get_no_more_warm_containers_than_may_wait(warm_users: int, number: int) -> None:
    pool = a_pool(warm=2, warm_users=warm_users)
    for each in range(50):
        take(pool, each, owner=Owner(1000 + each, 1000))
    assert users(fill(pool, 50)) == {Owner(1049 - each, 1000): 1 for each in range(number)}
    assert pool.regulars == tuple(Owner(1049 - each, 1000) for each in range(MOST_REGULARS))


def test_one_waits_for_each_user_whom_the_home_has_seen_from_the_start() -> None:
    pool = a_pool(2, OTHER, OWNER)
    assert users(fill(pool)) == {OTHER: 2, OWNER: 1}
    assert take(pool, owner=OWNER) is not None
    assert take(pool, owner=OTHER) is not None


def test_a_user_whose_jobs_came_before_keeps_one_although_another_needs_all_that_may_wait() -> None:
    pool = a_pool(warm=2)
    take(pool, 0, owner=OTHER)
    for seconds in (1, 2, 3):
        take(pool, seconds)
    assert users(fill(pool, 4)) == {OWNER: 2, OTHER: 1}
    assert list(pool.surplus(at(WINDOW_S + 60))) == [], "also later, when no jobs came"
    assert users(pool.ready.values()) == {OWNER: 2, OTHER: 1}


def test_users_who_take_turns_throw_nothing_away() -> None:
    pool = a_pool(warm=2)
    for seconds in range(6):
        take(pool, seconds, owner=(OWNER, OTHER)[seconds % 2])
        fill(pool, seconds)
        if seconds > 1:
            assert list(pool.surplus(at(seconds))) == []


def test_for_none_but_usual_tasks_a_user_is_remembered() -> None:
    pool = a_pool(1, OTHER)
    fitting = task()
    assert not pool.fits(bare_job(task(image="debian:13")), task(image="debian:13"))
    assert pool.regulars == (OTHER,)
    assert pool.fits(bare_job(fitting), fitting)
    take(pool)
    assert pool.regulars == (OWNER, OTHER)


def test_two_are_made_at_once_and_the_others_after_them() -> None:
    pool = a_pool(warm=5)
    for _ in range(5):
        take(pool, 0)
    first = list(pool.orders(at(0)))
    assert len(first) == 2
    pool.add(waiting(first[0]))
    assert len(list(pool.orders(at(0)))) == 1
    assert len(whole(pool)) == 3


def test_a_warm_container_is_replaced_before_its_gate_loses_patience() -> None:
    pool = a_pool(warm=1)
    (old,) = fill(pool)
    assert list(pool.surplus(at(LIFETIME_S))) == []
    assert list(pool.surplus(at(LIFETIME_S + 1))) == [old.name]
    (new,) = fill(pool, LIFETIME_S + 1)
    assert whole(pool) == {new.name}
    assert list(pool.surplus(at(LIFETIME_S + 2))) == []


def test_after_one_could_not_be_made_no_further_one_is_tried_for_a_while() -> None:
    pool = a_pool(warm=1)
    (order,) = pool.orders(at(0))
    pool.fail(order.name, at(10))
    assert pool.names == set()
    assert list(pool.orders(at(10))) == []
    assert list(pool.orders(at(10 + REST_S - 1))) == []
    (again,) = pool.orders(at(10 + REST_S))
    assert again.name != order.name


def test_a_user_for_whom_none_can_be_made_keeps_none_from_the_others() -> None:
    pool = a_pool(2, OTHER, OWNER)
    for order in list(pool.orders(at(0))):
        assert order.user == OTHER
        pool.fail(order.name, at(1))
    assert users(fill(pool, 2)) == {OWNER: 1}
    take(pool, 3)
    assert users(fill(pool, 3)) == {OWNER: 2}
    assert users(fill(pool, 1 + REST_S))[OTHER] == 1


def test_what_waits_already_may_be_used_while_no_further_one_is_tried() -> None:
    pool = a_pool(warm=2)
    first, second = pool.orders(at(0))
    warm = waiting(first)
    pool.add(warm)
    pool.fail(second.name, at(0))
    assert list(pool.orders(at(1))) == []
    assert take(pool, 1) == warm


def test_a_pool_that_was_emptied_is_filled_again_with_other_warm_containers() -> None:
    pool = a_pool(warm=2)
    take(pool, 0)
    take(pool, 0)
    first, second = pool.orders(at(0))
    pool.add(waiting(first))
    pool.clear()
    assert pool.names == set()
    pool.add(waiting(second, 1))
    assert pool.names == set(), "made for a pool that has forgotten it"
    assert pool.names.isdisjoint(warm.name for warm in fill(pool, 2))
    assert len(whole(pool)) == 2


def test_a_warm_container_that_nobody_ordered_is_not_added() -> None:
    pool = a_pool()
    pool.add(waiting(WarmOrder("stranger", OWNER)))
    assert pool.names == set()


def test_a_warm_container_that_was_reported_twice_is_there_once_and_given_away_once() -> None:
    pool = a_pool()
    (warm,) = fill(pool)
    assert take(pool) == warm
    pool.add(warm)
    pool.add(replace(warm))
    assert pool.names == set()


# --- Spares ----------------------------------------------------------------------------------------------


def with_spare(pool: WarmPool, seconds: float = 0) -> tuple[LiveJob, WarmContainer]:
    """A job that got a warm container, and the spare of that."""
    job = bare_job(task("a"), task("b", "a"))
    (order,) = pool.orders(at(seconds))
    warm = waiting(order, seconds)
    spare = replace(warm, name=spare_of(warm.name), container_id="spare")
    pool.add(replace(warm, spare=spare))
    assert pool.take(job, job.tasks["a"], at(seconds)) is not None
    return job, spare


def test_the_spare_of_a_warm_container_is_for_the_next_task_of_the_same_job() -> None:
    pool = a_pool()
    job, spare = with_spare(pool)
    assert pool.names == {spare.name}
    another = live_job(uid="f" * 32)
    assert pool.take_spare(another, task()) is None
    assert pool.take_spare(job, job.tasks["b"]) == spare
    assert pool.take_spare(job, job.tasks["b"]) is None
    assert pool.names == set()


@pytest.mark.parametrize("fields", [{"image": "debian:13"}, {"network": "none"}, {"user": "3000"}], ids=str)
def test_a_task_that_asks_for_something_of_its_own_leaves_the_spare(fields: dict[str, Any]) -> None:
    pool = a_pool(users=("3000",))
    job, spare = with_spare(pool)
    assert pool.take_spare(job, task("b", "a", **fields)) is None
    assert pool.names == {spare.name}


def test_a_further_attempt_does_not_get_the_spare() -> None:
    """It may need more memory, and finds the log of the one before in its place."""
    pool = a_pool()
    job, spare = with_spare(pool)
    run(job, "a", code=3)
    assert pool.take_spare(job, job.tasks["a"]) is None
    assert pool.names == {spare.name}


def test_a_spare_goes_with_its_job() -> None:
    pool = a_pool()
    _, spare = with_spare(pool)
    pool.forget(UID)
    pool.forget(UID)
    assert list(pool.surplus(at(1))) == [spare.name]
    assert list(pool.surplus(at(2))) == []
    assert pool.names == set()


def test_a_spare_does_not_outlive_the_patience_of_its_gate() -> None:
    pool = a_pool()
    job, spare = with_spare(pool)
    assert list(pool.surplus(at(LIFETIME_S))) == []
    assert list(pool.surplus(at(LIFETIME_S + 1))) == [spare.name]
    assert pool.take_spare(job, job.tasks["b"]) is None


def test_a_pool_that_was_emptied_has_no_spares() -> None:
    pool = a_pool()
    job, spare = with_spare(pool)
    assert pool.clear() == [spare.name]
    assert pool.take_spare(job, job.tasks["b"]) is None
