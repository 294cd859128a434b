"""What tasks wait for, and which of them could run."""

from air_executor.format.attempts import Attempt, Container, Phase
from air_executor.format.models import Task
from manager.core.conditions import Standing
from manager.core.ready_queue import ReadyQueue
from tests.unit.manager.builders import at, task


def a_queue(*tasks: Task, done: tuple[str, ...] = ()) -> ReadyQueue:
    queue = ReadyQueue()
    for each in tasks:
        queue.enter(each, lambda name: Standing.WELL if name in done else None)
    return queue


def tried(backoff: float) -> Task:
    """A task with an attempt behind it."""
    attempt = Attempt(number=1, phase=Phase.REMOVED, container=Container(name="x", image="image"))
    return task("a", retries={"max": 3, "backoff": backoff}).model_copy(update={"attempts": (attempt,)})


def test_a_task_waits_for_what_is_not_done_each_counted_once() -> None:
    queue = a_queue(task("c", "a", "b", "b"), done=("a",))
    assert queue.missing("c") == 1


def test_who_depends_on_a_task_waits_for_one_less_when_that_is_done() -> None:
    queue = a_queue(task("a"), task("b", "a"), task("c", "a", "b"))
    assert list(queue.dependants("a")) == ["b", "c"]
    assert list(queue.release("a", Standing.WELL)) == ["b", "c"]
    assert (queue.missing("b"), queue.missing("c")) == (0, 1)
    assert list(queue.release("b", Standing.WELL)) == ["c"]
    assert queue.missing("c") == 0
    assert list(queue.release("c", Standing.WELL)) == []


def test_the_first_to_be_ready_stays_first_and_keeps_its_time() -> None:
    queue = a_queue(task("a"), task("b"))
    queue.offer(task("b"), at(1))
    queue.offer(task("a"), at(2))
    queue.offer(task("b"), at(3))
    assert list(queue.ready.items()) == [("b", at(1)), ("a", at(2))]


def test_after_an_attempt_a_task_rests_first_and_is_ready_when_the_pause_is_over() -> None:
    queue = a_queue(task("a"))
    queue.offer(tried(backoff=5), at(1))
    assert (dict(queue.ready), queue.resting) == ({}, {"a": 5})
    queue.offer(tried(backoff=5), at(2))
    queue.end_rest("a", at(6))
    assert (queue.ready, dict(queue.resting)) == ({"a": at(6)}, {})


def test_without_a_pause_a_further_attempt_is_ready_at_once() -> None:
    queue = a_queue(task("a"))
    queue.offer(tried(backoff=0), at(1))
    assert queue.ready == {"a": at(1)}


def test_what_is_withdrawn_is_neither_ready_nor_at_rest_and_a_pause_that_ends_changes_nothing() -> None:
    queue = a_queue(task("a"), task("b"))
    queue.offer(tried(backoff=5), at(1))
    queue.offer(task("b"), at(1))
    for each in ("a", "b", "never-offered"):
        queue.withdraw(each)
    queue.end_rest("a", at(9))
    assert (queue.ready, queue.resting) == ({}, {})
