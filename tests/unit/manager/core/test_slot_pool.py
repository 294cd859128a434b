"""The pool of slots, by itself: who may get one, who gets one, and how many there are."""

import secrets
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from air_executor.format.models import Job, Resources
from manager.core.live_job import LiveJob
from manager.core.slot_pool import LIFETIME, REST, WINDOW, SlotPool
from manager.model.values import Owner, Slot, SlotOrder, first_of, spare_of
from tests.unit.manager.builders import (
    OWNER,
    T0,
    UID,
    at,
    claimed,
    key,
    live_job,
    no_slots,
    run,
    settings,
    task,
)

OTHER = Owner(2000, 2000)
WINDOW_S, LIFETIME_S, REST_S = (each.total_seconds() for each in (WINDOW, LIFETIME, REST))


def pool(warm: int = 3, user: Owner = OWNER, **fields: Any) -> SlotPool:
    """A pool that is open, and has nothing yet."""
    return SlotPool(settings(warm=warm, **fields), lambda: secrets.token_hex(5), user, open=True)


def bare_job(*tasks: Any, owner: Owner = OWNER) -> LiveJob:
    """A job for which nothing has been made."""
    record = Job(id="1", name="job", uid=UID, created_at=T0, updated_at=T0)
    job = LiveJob(record, tasks or (task(),), owner, max_tasks=10, bare=True)
    job.take(T0)
    return job


def waiting(order: SlotOrder, seconds: float = 0) -> Slot:
    """What has become of an order."""
    return Slot(order.id, order.user, f"id-{order.id}", "sha256:image", at(seconds), at(seconds))


def fill(slots: SlotPool, seconds: float = 0) -> list[Slot]:
    """Have all made that the pool wants; they wait."""
    made = [waiting(order, seconds) for order in slots.orders(at(seconds))]
    for slot in made:
        slots.add(slot)
    return made


def take(slots: SlotPool, seconds: float = 0, owner: Owner = OWNER, **fields: Any) -> Slot | None:
    """For the first task of a new job."""
    wanting = task(**fields)
    return slots.take(bare_job(wanting, owner=owner), wanting, at(seconds))


def whole(slots: SlotPool) -> set[str]:
    """Its slots, spares not counted."""
    return {slot for slot in slots.ids if slot == first_of(slot)}


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
        {"timeout": 5.0},
        {"env": {"A": "b"}},
        {"user": "1234"},
        {"args": ("-c", "true")},
    ],
    ids=str,
)
def test_a_task_that_asks_for_nothing_of_its_own_fits(fields: dict[str, Any]) -> None:
    wanting = task(**fields)
    assert pool().fits(bare_job(wanting), wanting)


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "debian:13"},
        {"network": "none"},
        {"network": "private"},
        {"network": "db"},
        {"workdir": "/tmp"},
        {"resources": Resources(memory_mb=100)},
        {"resources": Resources(cpus=0.5)},
        {"resources": Resources(pids=10)},
    ],
    ids=str,
)
def test_a_task_that_asks_for_something_of_its_own_does_not_fit(fields: dict[str, Any]) -> None:
    wanting = task(**fields)
    assert not pool().fits(bare_job(wanting), wanting)


def test_the_usual_image_is_the_one_that_the_operator_has_set() -> None:
    slots = pool(runner_image="own:1")
    for image, fits in ((None, True), ("own:1", True), ("air-executor-runner:latest", False)):
        wanting = task(image=image)
        assert slots.fits(bare_job(wanting), wanting) is fits


def test_a_job_with_folders_of_its_own_does_not_fit() -> None:
    assert not pool().fits(live_job(), task())


def test_a_job_of_which_something_was_claimed_does_not_fit_any_more() -> None:
    job = bare_job(task("a"), task("b"))
    assert pool().fits(job, job.tasks["b"])
    job.apply(claimed(key("a")))
    assert not pool().fits(job, job.tasks["b"])


def test_nothing_fits_where_slots_do_not_work() -> None:
    assert not no_slots().fits(bare_job(), task())


# --- Who gets one ----------------------------------------------------------------------------------------


def test_a_slot_is_given_away_once() -> None:
    slots = pool()
    (slot,) = fill(slots)
    assert slots.ids == {slot.id, spare_of(slot.id)}
    assert take(slots) == slot
    assert slots.ids == set()
    assert take(slots) is None


def test_a_slot_that_is_still_being_made_is_given_to_nobody() -> None:
    slots = pool()
    (order,) = slots.orders(at(0))
    assert slots.ids == {order.id, spare_of(order.id)}
    assert take(slots) is None
    slots.add(waiting(order))
    assert take(slots) == waiting(order)


def test_a_slot_of_another_user_is_not_taken() -> None:
    slots = pool()
    fill(slots)
    assert take(slots, owner=OTHER) is None
    assert take(slots, user="3000:3001") is None
    assert take(slots, user=f"{OWNER.uid}", owner=OTHER) is not None, "whose folder it is, is all the same"


def test_in_jobs_of_root_tasks_run_as_the_user_of_the_setting() -> None:
    slots = pool(user=Owner(77, 77), task_uid=77)
    (slot,) = fill(slots)
    assert slot.user == (77, 77)
    assert take(slots, owner=Owner(0, 0)) == slot


# --- How many there are ----------------------------------------------------------------------------------


def test_one_slot_waits_for_the_usual_user_before_any_job_came() -> None:
    slots = pool(warm=3)
    assert users(slots.orders(at(0))) == {OWNER: 1}
    assert list(slots.orders(at(0))) == [], "an order counts as being made"


def test_as_many_slots_are_kept_as_were_used_of_late() -> None:
    slots = pool(warm=3)
    fill(slots)
    for used, wanted in ((1, 1), (2, 2), (3, 3), (4, 3), (5, 3)):
        take(slots, seconds=used)
        fill(slots, used)
        assert len(slots.ready) == wanted


def test_a_use_counts_also_when_no_slot_was_there() -> None:
    slots = pool(warm=2)
    assert take(slots, 0) is None
    assert take(slots, 0) is None
    assert users(slots.orders(at(1))) == {OWNER: 2}


def test_no_slot_is_made_where_none_is_wanted() -> None:
    slots = pool(warm=0)
    take(slots, 0)
    assert list(slots.orders(at(0))) == []


def test_no_slot_is_made_where_they_do_not_work() -> None:
    assert list(no_slots().orders(at(0))) == []


def test_slots_that_were_not_used_for_a_while_go_but_for_one() -> None:
    slots = pool(warm=3)
    for _ in range(3):
        take(slots, 0)
    fill(slots, 1)
    assert list(slots.surplus(at(WINDOW_S))) == []
    assert len(slots.ready) == 3
    gone = list(slots.surplus(at(WINDOW_S + 1)))
    assert len(gone) == 2
    assert len(slots.ready) == 1
    assert slots.ids.isdisjoint(gone)
    assert list(slots.orders(at(WINDOW_S + 1))) == []


def test_the_newest_slots_are_those_that_stay() -> None:
    slots = pool(warm=2)
    take(slots, 0)
    (old,) = fill(slots, 1)
    take(slots, 2)
    slots.ready[old.id] = old  # as if that job had got none
    (new,) = fill(slots, 3)
    assert list(slots.surplus(at(WINDOW_S + 5))) == [old.id]
    assert set(slots.ready) == {new.id}


def test_the_slot_that_stays_is_for_the_user_who_was_last() -> None:
    slots = pool(warm=2)
    take(slots, 0, owner=OTHER)
    (old,) = fill(slots, 0)
    assert old.user == OTHER
    assert list(slots.surplus(at(WINDOW_S + 1))) == [], "still for the last one"
    take(slots, WINDOW_S + 2)
    assert list(slots.surplus(at(WINDOW_S + 2))) == [old.id]
    assert users(fill(slots, WINDOW_S + 2)) == {OWNER: 1}


def test_users_share_what_may_wait_and_the_latest_come_first() -> None:
    slots = pool(warm=3)
    for seconds, owner in enumerate((OWNER, OWNER, OWNER, OTHER, OWNER)):
        take(slots, seconds, owner=owner)
    assert users(fill(slots, 5)) == {OWNER: 2, OTHER: 1}
    for seconds in (6, 7):
        take(slots, seconds, owner=OTHER)
    before = users(slots.ready.values())
    assert users(slots.orders(at(8))) == {OTHER: 2}
    assert len(list(slots.surplus(at(8)))) == 1
    assert before - users(slots.ready.values()) == {OWNER: 1}
    assert users(slots.ready.values()) + users(slots.making.values()) == {OTHER: 2, OWNER: 1}


def test_many_users_get_no_more_slots_than_may_wait() -> None:
    slots = pool(warm=2)
    for number in range(50):
        take(slots, number, owner=Owner(100 + number, 100))
    assert users(slots.orders(at(50))) == {Owner(149, 100): 1, Owner(148, 100): 1}


def test_a_slot_is_replaced_before_its_gate_loses_patience() -> None:
    slots = pool(warm=1)
    (old,) = fill(slots)
    assert list(slots.surplus(at(LIFETIME_S))) == []
    assert list(slots.surplus(at(LIFETIME_S + 1))) == [old.id]
    (new,) = fill(slots, LIFETIME_S + 1)
    assert whole(slots) == {new.id}
    assert list(slots.surplus(at(LIFETIME_S + 2))) == []


def test_after_one_could_not_be_made_no_further_one_is_tried_for_a_while() -> None:
    slots = pool(warm=1)
    (order,) = slots.orders(at(0))
    slots.fail(order.id, at(10))
    assert slots.ids == set()
    assert list(slots.orders(at(10))) == []
    assert list(slots.orders(at(10 + REST_S - 1))) == []
    (again,) = slots.orders(at(10 + REST_S))
    assert again.id != order.id


def test_what_waits_already_may_be_used_while_no_further_one_is_tried() -> None:
    slots = pool(warm=2)
    (slot,) = fill(slots)
    slots.fail("another", at(0))
    assert take(slots, 1) == slot


def test_a_pool_that_was_emptied_is_filled_again_with_other_slots() -> None:
    slots = pool(warm=2)
    take(slots, 0)
    take(slots, 0)
    first, second = slots.orders(at(0))
    slots.add(waiting(first))
    slots.clear()
    assert slots.ids == set()
    slots.add(waiting(second, 1))
    assert slots.ids == set(), "made for a pool that has forgotten it"
    assert slots.ids.isdisjoint(slot.id for slot in fill(slots, 2))
    assert len(whole(slots)) == 2


def test_a_slot_that_nobody_ordered_is_not_added() -> None:
    slots = pool()
    slots.add(waiting(SlotOrder("stranger", OWNER)))
    assert slots.ids == set()


def test_a_slot_that_was_reported_twice_is_there_once_and_given_away_once() -> None:
    slots = pool()
    (slot,) = fill(slots)
    assert take(slots) == slot
    slots.add(slot)
    slots.add(replace(slot))
    assert slots.ids == set()


# --- Spares ----------------------------------------------------------------------------------------------


def with_spare(slots: SlotPool, seconds: float = 0) -> tuple[LiveJob, Slot]:
    """A job that got a slot, and the spare of that."""
    job = bare_job(task("a"), task("b", "a"))
    (order,) = slots.orders(at(seconds))
    slot = waiting(order, seconds)
    spare = replace(slot, id=spare_of(slot.id), container_id="spare")
    slots.add(replace(slot, spare=spare))
    assert slots.take(job, job.tasks["a"], at(seconds)) is not None
    return job, spare


def test_the_spare_of_a_slot_is_for_the_next_task_of_the_same_job() -> None:
    slots = pool()
    job, spare = with_spare(slots)
    assert slots.ids == {spare.id}
    another = live_job(uid="f" * 32)
    assert slots.take_spare(another, task()) is None
    assert slots.take_spare(job, job.tasks["b"]) == spare
    assert slots.take_spare(job, job.tasks["b"]) is None
    assert slots.ids == set()


@pytest.mark.parametrize("fields", [{"image": "debian:13"}, {"network": "none"}, {"user": "3000"}], ids=str)
def test_a_task_that_asks_for_something_of_its_own_leaves_the_spare(fields: dict[str, Any]) -> None:
    slots = pool()
    job, spare = with_spare(slots)
    assert slots.take_spare(job, task("b", "a", **fields)) is None
    assert slots.ids == {spare.id}


def test_a_further_attempt_does_not_get_the_spare() -> None:
    """It may need more memory, and finds the log of the one before in its place."""
    slots = pool()
    job, spare = with_spare(slots)
    run(job, "a", code=3)
    assert slots.take_spare(job, job.tasks["a"]) is None
    assert slots.ids == {spare.id}


def test_a_spare_goes_with_its_job() -> None:
    slots = pool()
    _, spare = with_spare(slots)
    slots.forget(UID)
    slots.forget(UID)
    assert list(slots.surplus(at(1))) == [spare.id]
    assert list(slots.surplus(at(2))) == []
    assert slots.ids == set()


def test_a_spare_does_not_outlive_the_patience_of_its_gate() -> None:
    slots = pool()
    job, spare = with_spare(slots)
    assert list(slots.surplus(at(LIFETIME_S))) == []
    assert list(slots.surplus(at(LIFETIME_S + 1))) == [spare.id]
    assert slots.take_spare(job, job.tasks["b"]) is None


def test_a_pool_that_was_emptied_has_no_spares() -> None:
    slots = pool()
    job, spare = with_spare(slots)
    assert slots.clear() == [spare.id]
    assert slots.take_spare(job, job.tasks["b"]) is None
