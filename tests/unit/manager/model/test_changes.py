"""What is new in a job, put together until somebody has taken it."""

from typing import Any

from air_executor.format.models import Decision, Job, JobState, Task
from manager.model.changes import Changes
from tests.unit.manager.builders import OWNER, T0, UID, at, task


def changed(*tasks: Task, decisions: tuple[Decision, ...] = (), **fields: Any) -> Changes:
    job = Job(id="1", name="job", uid=UID, created_at=T0, updated_at=T0, **fields)
    return Changes(OWNER, "state.json of then", job, tasks, decisions)


def decision(request: str, accepted: bool = True) -> Decision:
    return Decision(request=request, accepted=accepted, at=at(1))


def test_of_the_job_and_of_each_task_the_later_word_counts() -> None:
    before = changed(task("a", command="before"), task("b", command="kept"))
    later = changed(task("a", command="later"), state=JobState.COMPLETED)
    both = before.followed_by(later)
    assert both.job == later.job
    assert {one.id: one.command for one in both.tasks} == {"a": "later", "b": "kept"}


def test_tasks_keep_their_order_and_new_ones_follow() -> None:
    before = changed(task("c"), task("a"))
    later = changed(task("d"), task("a"), task("b"), task("c"))
    assert [one.id for one in before.followed_by(later).tasks] == ["c", "a", "d", "b"]


def test_decisions_keep_their_order_and_the_later_word_counts() -> None:
    before = changed(decisions=(decision("r2"), decision("r1")))
    later = changed(decisions=(decision("r3"), decision("r2", accepted=False)))
    both = before.followed_by(later).decisions
    assert [(one.request, one.accepted) for one in both] == [("r2", False), ("r1", True), ("r3", True)]


def test_nothing_new_after_something_new_is_still_something_new() -> None:
    before = changed(task("a"), decisions=(decision("r1"),))
    both = before.followed_by(changed())
    assert (both.tasks, both.decisions) == (before.tasks, before.decisions)
    assert (both.owner, both.submitted) == (before.owner, before.submitted)


def test_neither_of_the_two_is_altered() -> None:
    before, later = changed(task("a")), changed(task("b"))
    before.followed_by(later)
    assert (before, later) == (changed(task("a")), changed(task("b")))
